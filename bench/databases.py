"""The database servers that are measured: on the loopback interface, started for the run and ended with it."""

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

from tests.servers import ROOT, Mongo, Postgres

NAMES = ("sqlite", "postgres", "mongodb")
TITLES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mongodb": "MongoDB protocol"}

#: As in production, and quiet: what is logged is not what is measured.
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
    """One database, migrated, in which processes measure one after the other."""

    def __init__(self, name: str, url: str):
        self.name = name
        self.url = url
        self.environment = {**os.environ, **ENVIRONMENT, "DATABASE_URL": url}
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        return self._run([sys.executable, "manage.py", *arguments], self.environment)

    def drop(self) -> None:
        """Gives its room on the disk back, where that is simple."""
        if self.name == "sqlite":
            for path in Path(self.url.removeprefix("sqlite:///")).parent.glob(
                f"{Path(self.url).name}*"
            ):
                path.unlink()

    def measure(self, what: str, **options: Any) -> dict[str, Any]:
        """What `bench.measures.<what>` returns in a process of its own."""
        output = self._run(
            [sys.executable, "-m", "bench.measures", what, json.dumps(options)], self.environment
        )
        return dict(json.loads(output.splitlines()[-1]))

    def measure_peer(self, python: Path, what: str, **options: Any) -> dict[str, Any]:
        """Likewise for django-tasks-db, in its own virtual environment and its own tables."""
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": "bench.peer.settings"}
        output = self._run(
            [str(python), "-m", "bench.peer.measures", what, json.dumps(options)], environment
        )
        return dict(json.loads(output.splitlines()[-1]))

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(
                f"{' '.join(command)} failed on {self.name}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout


class Databases:
    """Makes databases of one kind."""

    def __init__(self, name: str, folder: Path, server: Mongo | Postgres | None):
        self.name = name
        self._folder = folder
        self._server = server

    @property
    def pid(self) -> int | None:
        """The server's process, where its time is to be measured."""
        if isinstance(self._server, Mongo):
            return self._server.process.pid
        if isinstance(self._server, Postgres):
            return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        return None

    def make(self, name: str) -> Database:
        if isinstance(self._server, Postgres):
            self._server.create_database(name)
            return Database(self.name, self._server.url.replace("/jobs", f"/{name}"))
        if isinstance(self._server, Mongo):
            return Database(self.name, self._server.url.replace("/jobs", f"/{name}"))
        return Database(self.name, f"sqlite:///{self._folder}/{name}.sqlite3")


@contextmanager
def serving(name: str) -> Iterator[Databases]:
    folder = Path(tempfile.mkdtemp(prefix="delayed-jobs-bench-"))
    server = {"mongodb": Mongo, "postgres": Postgres}[name](folder) if name != "sqlite" else None
    if server is not None:
        server.start()
    try:
        yield Databases(name, folder, server)
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
