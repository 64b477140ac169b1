"""The database that the tests run on: chosen before Django's settings are read.

DATABASE_URL where it is set; else what TEST_DATABASE names: `mongodb` (a SecantusDB,
over the real MongoDB wire protocol; the default), `documentdb` (another MongoDB engine,
which needs root on Debian), `postgres` (a server, too), `djongo` (SecantusDB again) or
`sqlite` (a file). Each process of `pytest -n` has its own, which ends with it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.servers import SERVERS, Server

#: Set where we chose DATABASE_URL: the processes of `pytest -n` inherit it.
CHOSEN = "TEST_DATABASE_IS_CHOSEN"

_chosen: Server | None = None
#: The one that this process started.
serving: Server | None = None
_folder = ""


def choose() -> None:
    """Sets DATABASE_URL. Django's settings are read right after."""
    global _chosen, _folder
    os.environ.setdefault("DEBUG", "true")
    os.environ["ENV_FILE"] = os.devnull
    # pytest-django switches DEBUG off, and a check would name the development key.
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz")
    for name in list(os.environ):
        if name.startswith(("JOBS_", "BATCHEXEC_", "AWS_")):
            del os.environ[name]
    os.environ.update(
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    if os.environ.get("DATABASE_URL") and CHOSEN not in os.environ:
        return
    os.environ[CHOSEN] = "yes"
    wanted = os.environ.get("TEST_DATABASE") or "mongodb"
    if wanted not in (*SERVERS, "sqlite"):
        raise SystemExit(f"TEST_DATABASE is {wanted!r}: use {', '.join(SERVERS)} or sqlite.")
    _folder = tempfile.mkdtemp(prefix="delayed-jobs-tests-")
    # Not a hook of pytest, which calls none where its start or another end fails.
    atexit.register(_end, os.getpid())
    if wanted == "sqlite":
        os.environ["DATABASE_URL"] = f"sqlite:///{_folder}/db.sqlite3"
        return
    # No test crashes it: those that do have their own.
    _chosen = SERVERS[wanted](Path(_folder), durable=False)
    os.environ["DATABASE_URL"] = _chosen.url


def serve(config: pytest.Config) -> None:
    """Starts the server, unless the tests run in the processes of `pytest -n`."""
    global serving
    leaves_them = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if _chosen is not None and not leaves_them:
        _chosen.start()
        serving = _chosen


def _end(owner: int) -> None:
    if os.getpid() != owner:
        return  # a process that a test forked
    if serving is not None:
        serving.stop()
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)
