"""The databases that are measured.

Their servers listen on the loopback interface, and run only as long as the benchmark.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import ROOT, DocumentDB, Mongo, Postgres, Server

#: Those that are measured unless others are named.
NAMES = ("sqlite", "postgres", "mongodb")
TITLES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mongodb": "MongoDB protocol",
    "documentdb": "DocumentDB",
}
SERVERS: dict[str, type[Server]] = {
    "postgres": Postgres,
    "mongodb": Mongo,
    "documentdb": DocumentDB,
}

#: As in production, but only warnings are logged, because logging is not measured.
ENVIRONMENT = {
    "DEBUG": "false",
    "SECRET_KEY": "only-for-benchmarks-on-this-machine-0123456789-abcdef",
    "ALLOWED_HOSTS": "localhost",
    "LOG_LEVEL": "WARNING",
    "ENV_FILE": os.devnull,
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}


class Database:
    """A migrated database, in which one process after the other measures something."""

    def __init__(self, name: str, url: str):
        self.name = name
        self.url = url
        self.environment = {**os.environ, **ENVIRONMENT, "DATABASE_URL": url}
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        return self._run([sys.executable, "manage.py", *arguments], self.environment)

    def drop(self) -> None:
        """Frees its space on the disk. Does nothing for a database of a server."""
        if self.name == "sqlite":
            file = Path(self.url.removeprefix("sqlite:///"))
            for path in file.parent.glob(f"{file.name}*"):
                path.unlink()

    def measure(self, what: str, **options: Any) -> dict[str, Any]:
        """Calls `bench.measures.<what>` in a new process and returns its figures."""
        return self.measure_by(sys.executable, "bench.measures", what, {}, options)

    def measure_by(
        self,
        python: str,
        module: str,
        what: str,
        environment: dict[str, str],
        options: dict[str, Any],
    ) -> dict[str, Any]:
        """The same by another Python, another module, and what it has in its
        environment.
        """
        command = [python, "-m", module, what, json.dumps(options)]
        return _last_line(self._run(command, {**self.environment, **environment}))

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            output = done.stdout + done.stderr
            raise SystemExit(f"{' '.join(command)} failed on {self.name}:\n{output}")
        return done.stdout


def _last_line(output: str) -> dict[str, Any]:
    return dict(json.loads(output.splitlines()[-1]))


class Databases:
    """Makes databases of one kind."""

    def __init__(self, name: str, folder: Path, server: Server | None):
        self.name = name
        self._folder = folder
        self._server = server

    @property
    def pid(self) -> int | None:
        """The server's process id; None for SQLite, which has no server.

        For DocumentDB it is the engine's, without the gateway to it.
        """
        if isinstance(self._server, Mongo):
            return self._server.process.pid
        if isinstance(self._server, DocumentDB):
            return self._server.engine.process.pid
        if isinstance(self._server, Postgres):
            return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        return None

    @property
    def log(self) -> Path:
        """What the server writes down."""
        return self._folder / "log"

    def restart_with(self, setting: str) -> None:
        """PostgreSQL with one more line in its configuration."""
        assert isinstance(self._server, Postgres)
        with (self._folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.write(f"{setting}\n")
        self._server.stop()
        self._server.start()

    def make(self, name: str) -> Database:
        """Makes and migrates the database `name`."""
        if isinstance(self._server, Postgres):
            self._server.create_database(name)
        if self._server is not None:
            return Database(self.name, self._server.url.replace("/jobs", f"/{name}"))
        return Database(self.name, f"sqlite:///{self._folder}/{name}.sqlite3")


@contextmanager
def serving(name: str) -> Iterator[Databases]:
    """Runs the server of the databases called `name` (of TITLES) during the block."""
    folder = Path(tempfile.mkdtemp(prefix="delayed-jobs-bench-"))
    server = SERVERS[name](folder) if name in SERVERS else None
    if server is not None:
        server.start()
    try:
        yield Databases(name, folder, server)
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
