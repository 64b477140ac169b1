"""A database server that a test may kill: not the one that the other tests run on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from jobs import databases
from jobs.models import Job
from tests.processes import ROOT, Process, processes
from tests.servers import Mongo, Postgres, Server


class FrequentlyAsked(Mongo):
    """A failpoint leaves the topology as it is, and the driver would look at it again after ten seconds only."""

    @property
    def url(self) -> str:
        return f"{super().url}&heartbeatFrequencyMS=500"


OWN: dict[str, type[Server]] = {"mongodb": FrequentlyAsked, "postgresql": Postgres}


class Own:
    """The server, and this process's connection to it."""

    def __init__(self, server: Server):
        self._server = server
        self.url = server.url

    def crash(self) -> None:
        connections["own"].close()
        self._server.crash()

    def start(self) -> None:
        self._server.start()


class ToOwn:
    """A router that sends everything to the server that may be killed."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "own"

    db_for_write = db_for_read


@pytest.fixture(scope="module")
def _own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if connection.vendor not in OWN:
        pytest.skip(f"{connection.vendor} has no server here that could go away")
    # Directly under the system's folder: a server that runs as another user can't enter pytest's.
    with tempfile.TemporaryDirectory(prefix="delayed-jobs-own-") as folder:
        server = OWN[connection.vendor](Path(folder))
        server.start()
        try:
            if isinstance(server, Postgres):
                server.create_database()
            command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            subprocess.run(
                command, cwd=ROOT, env={**os.environ, "DATABASE_URL": server.url}, check=True
            )
            yield server
        finally:
            server.stop()


@pytest.fixture
def own(_own_server: Server, settings: Any, django_db_blocker: Any) -> Iterator[Own]:
    """The server, empty and running; what this process enqueues goes there."""
    connections.settings["own"] = connections.configure_settings(
        {"default": databases.parse(_own_server.url)}
    )["default"]
    settings.DATABASE_ROUTERS = [ToOwn()]
    with django_db_blocker.unblock():
        Job.objects.all().delete()
        yield Own(_own_server)
        if not _own_server.running:
            _own_server.start()
        connections["own"].close()
        if connection.vendor == "mongodb":
            connections["own"].close_pool()
    del connections["own"], connections.settings["own"]


@pytest.fixture
def start_on(own: Own, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `manage.py <arguments>` on that server."""
    with processes(tmp_path) as start:
        yield lambda *arguments, **extra: start(*arguments, DATABASE_URL=own.url, **extra)
