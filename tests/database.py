"""A pytest plugin: the database that the tests run on.

DATABASE_URL where it is set; else what TEST_DATABASE names: `mongodb` (an own SecantusDB, over the real MongoDB wire
protocol; the default), `documentdb` (another MongoDB engine, which needs root on Debian), `postgres` (an own server
likewise) or `sqlite` (a file). A server is started for this run and ended with it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.servers import SERVERS, Server

_server: Server | None = None
_folder = ""


def _choose() -> None:
    """Runs when the plugin is imported: Django's settings are read right after."""
    global _server, _folder
    os.environ.setdefault("DEBUG", "true")
    os.environ["ENV_FILE"] = os.devnull
    for name in list(os.environ):
        if name.startswith(("JOBS_", "BATCHEXEC_", "AWS_")):
            del os.environ[name]
    os.environ.update(
        AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"
    )
    if os.environ.get("DATABASE_URL"):
        return
    wanted = os.environ.get("TEST_DATABASE") or "mongodb"
    if wanted not in (*SERVERS, "sqlite"):
        raise SystemExit(f"TEST_DATABASE is {wanted!r}: use {', '.join(SERVERS)} or sqlite.")
    _folder = tempfile.mkdtemp(prefix="delayed-jobs-tests-")
    # Not a hook of pytest's: those aren't called where its start or another's end fails.
    atexit.register(_end, os.getpid())
    if wanted == "sqlite":
        os.environ["DATABASE_URL"] = f"sqlite:///{_folder}/db.sqlite3"
        return
    server = SERVERS[wanted](Path(_folder))
    os.environ["DATABASE_URL"] = server.url
    server.start()
    _server = server


def _end(owner: int) -> None:
    if os.getpid() != owner:
        return  # a process that a test forked
    if _server is not None:
        _server.stop()
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)


_choose()
