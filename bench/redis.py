"""A Redis server for the peer that needs one, on the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.servers import free_port, wait_for_port


class Redis:
    """Redis with its own defaults: all is in memory, and copied to a file at times."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Redis:
        program = shutil.which("redis-server")
        assert program is not None
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        wait_for_port(self._port, given_up=lambda: self._process.poll() is not None)
        return self

    def __exit__(self, *details: object) -> None:
        self._process.terminate()
        self._process.wait(60)
