"""A pytest plugin: the database that the tests run on.

DATABASE_URL where it is set; else `TEST_DATABASE=sqlite` a SQLite file; else an own SecantusDB, started for this run
and ended with it, over the real MongoDB wire protocol.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_server: subprocess.Popen[bytes] | None = None
_folder = ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


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
    _folder = tempfile.mkdtemp(prefix="delayed-jobs-tests-")
    if os.environ.get("TEST_DATABASE") == "sqlite":
        os.environ["DATABASE_URL"] = f"sqlite:///{_folder}/db.sqlite3"
        return
    port = free_port()
    os.environ["DATABASE_URL"] = f"mongodb://127.0.0.1:{port}/jobs?serverSelectionTimeoutMS=5000"
    command = [sys.executable, str(ROOT / "manage.py"), "localmongo", "--port", str(port), "--data", _folder]
    _server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for_port(port)


def pytest_unconfigure() -> None:
    if _server is not None:
        _server.send_signal(signal.SIGTERM)
        _server.wait(10)
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)


_choose()
