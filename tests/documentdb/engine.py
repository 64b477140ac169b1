"""A DocumentDB server for the tests: PostgreSQL with the engine's extensions, on the
loopback interface.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from tests.documentdb import chroot

CLUSTER = chroot.DATA / "cluster"
EXTENSIONS = ("documentdb", "documentdb_extended_rum")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 200,
    "jit": "off",
    # MongoDB's plans need no statistics, and this engine's do.
    "autovacuum_naptime": "5s",
    "log_min_messages": "warning",
    "shared_preload_libraries": (
        "pg_cron,pg_documentdb_core,pg_documentdb_extended_rum,pg_documentdb"
    ),
    "cron.database_name": "postgres",
    "cron.use_background_workers": "on",
    "cron.log_statement": "off",
    "documentdb.alternate_index_handler_name": "extended_rum",
}
#: Indexes are built by whoever asks for them, so that nobody need look for work every
#: two seconds.
QUIET = (
    "select cron.unschedule(jobid) from cron.job where jobname like 'documentdb_index_build_task%'"
)


class Engine:
    """The server's process, its data in `folder`/data, its log in `folder`/log."""

    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path, port: int):
        self.folder = folder
        self.port = port

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=10"

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def start(self) -> None:
        """Returns once it accepts connections. Raises `chroot.Unavailable` where the
        engine can't run.
        """
        root, data = chroot.installed(), self.folder / "data"
        new = not data.exists()
        if new:
            self._initialize(root, data)
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": self.port}.items()]
        arguments = [chroot.PROGRAMS / "postgres", "-D", CLUSTER, *settings]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                chroot.command(root, data, *arguments), stdout=log, stderr=log
            )
        self._wait()
        if new:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                for name in EXTENSIONS:
                    connection.execute(f"create extension {name} cascade".encode())
                connection.execute(QUIET)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Connections break, and what isn't in the log on the disk is gone."""
        self._end(signal.SIGQUIT)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _initialize(self, root: Path, data: Path) -> None:
        data.mkdir()
        os.chown(data, *chroot.owner(root))
        options = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        initdb = chroot.command(root, data, chroot.PROGRAMS / "initdb", "-D", CLUSTER, *options)
        with self._log.open("ab") as log:
            done = subprocess.run(initdb, stdout=log, stderr=log, check=False)
        if done.returncode:
            shutil.rmtree(data)
            raise chroot.Unavailable(
                f"DocumentDB's server can't be set up in {root}:\n{self._log.read_text()}"
            )

    def _wait(self, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.dsn).close()
                return
            except psycopg.OperationalError as error:
                if not self.running or time.monotonic() > deadline:
                    self.process.kill()
                    raise RuntimeError(
                        f"DocumentDB doesn't start:\n{self._log.read_text()}"
                    ) from error
                time.sleep(0.05)

    def _end(self, signum: int) -> None:
        self.process.send_signal(signum)
        self.process.wait(120)
