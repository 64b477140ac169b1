"""The pytest plugin with all servers and processes that tests ask for."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections

from jobs import Worker, databases
from jobs import store as stores
from jobs.models import Job
from jobs.store import store_for
from tests.processes import FAST, LATE, ROOT, Process, database_url, in_a_thread, processes
from tests.servers import PATIENT, DocumentDB, Mongo, Postgres, Server, free_port, wait_for_port

if TYPE_CHECKING:
    from batchexec.local.server import LocalBatch
    from batchexec.plugin import BatchExecution

# Processes on the tests' database


@pytest.fixture
def start(tmp_path: Path, transactional_db: None) -> Iterator[Callable[..., Process]]:
    """Starts `manage.py <arguments>` on the tests' database, until the test ends."""
    with processes(tmp_path) as starter:
        yield starter


@pytest.fixture
def web(start: Callable[..., Process]) -> str:
    """The URL of a web server."""
    port = free_port()
    process = start("runserver", "--noreload", str(port))
    wait_for_port(port, given_up=lambda: process.popen.poll() is not None, log=process.log)
    return f"http://127.0.0.1:{port}"


# Faults


@pytest.fixture
def lose_reply(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes the next call of a store's method raise after it has done its work."""
    to_lose: list[str] = []

    def lose(method: str) -> None:
        store = store_for(Job)
        original = getattr(store, method)
        to_lose.append(method)

        def once(*args: Any, **kwargs: Any) -> None:
            monkeypatch.setattr(store, method, original)
            original(*args, **kwargs)
            to_lose.remove(method)
            raise store.unavailable[0]("the connection broke")

        monkeypatch.setattr(store, method, once)

    yield lose
    stores._stores.clear()  # else the next test's worker reaps nothing for a while
    assert to_lose == [], "no reply was lost"


# AWS Batch on this machine


def pytest_configure() -> None:
    """boto3 reads its files once. Else each of a test's clients, and moto when it is
    imported, parses megabytes of endpoints.
    """
    import botocore.session

    loader = botocore.session.create_loader()
    botocore.session.create_loader = lambda search_path: loader


@pytest.fixture
def local_batch() -> Iterator[Callable[..., LocalBatch]]:
    """Starts servers with a queue and a definition, and with LocalBatch's own options.
    They are ended with the test.

    A test has its own: one is up in 40 ms, and nothing has to be put in order after it.
    Every fault that was set must have happened.
    """
    from batchexec.local.server import LocalBatch

    with ExitStack() as stack:
        servers: list[LocalBatch] = []

        def started(**options: Any) -> LocalBatch:
            servers.append(stack.enter_context(LocalBatch(**{"create": True, **options})))
            return servers[-1]

        yield started
        assert [server.unmet_faults() for server in servers] == [[] for _ in servers]


@pytest.fixture
def server(local_batch: Callable[..., LocalBatch]) -> LocalBatch:
    """A local AWS Batch for jobs that know nothing of a database."""
    return local_batch(start_delay=0.06, stop_grace=0.3, allow_short_timeouts=True, max_running=8)


@pytest.fixture
def batch_with(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, local_batch: Callable[..., LocalBatch]
) -> Callable[..., LocalBatch]:
    """Starts a local AWS Batch whose containers work on the tests' database."""

    def start(**options: Any) -> LocalBatch:
        for name, value in {**FAST, "DATABASE_URL": database_url()}.items():
            monkeypatch.setenv(name, value)
        # Long enough for a container to record, on a busy machine, that it is to end.
        usual = {"start_delay": 0.05, "stop_grace": 120, "max_running": 8}
        server = local_batch(**{**usual, **LATE, **options})
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        return server

    return start


@pytest.fixture
def batch(batch_with: Callable[..., LocalBatch]) -> LocalBatch:
    """One that is as quick as this machine."""
    return batch_with()


@pytest.fixture
def worker(batch: LocalBatch, settings: Any) -> Iterator[Callable[..., Worker]]:
    """Workers in this process, as quick as those in other processes."""
    from batchexec.conf import settings as batchexec_options
    from batchexec.plugin import BatchExecution
    from jobs.conf import settings as jobs_options

    settings.JOBS = jobs_options.from_environment(FAST)
    settings.BATCHEXEC = batchexec_options.from_environment(FAST)
    made: list[Worker] = []

    def make(**options: Any) -> Worker:
        made.append(Worker(plugins=["jobs.plugins.ClearLocks", BatchExecution], **options))
        return made[-1]

    yield make
    for one in made:
        batch_execution_of(one).close()


@pytest.fixture
def working(worker: Callable[..., Worker]) -> Iterator[Callable[..., Worker]]:
    """Workers in this process that work until the test ends.

    A process costs ten times as much: only what is signalled or killed needs its own.
    """
    with ExitStack() as stack:

        def begun(**options: Any) -> Worker:
            one = worker(**options)
            stack.enter_context(in_a_thread(one.start))
            stack.callback(one.stop)
            return one

        yield begun


@pytest.fixture
def endless_lease(worker: Callable[..., Worker], settings: Any, monkeypatch: Any) -> None:
    """Neither a worker in this process nor a container takes anybody for dead, or shows
    a sign of life after the first.
    """
    settings.JOBS = {**settings.JOBS, "LEASE": 36_000}
    monkeypatch.setenv("JOBS_LEASE", "36000")


def batch_execution_of(worker: Worker) -> BatchExecution:
    """The worker's plugin, with what its slots share."""
    from batchexec.plugin import BatchExecution

    return next(plugin for plugin in worker.plugins if isinstance(plugin, BatchExecution))


@pytest.fixture
def client_of() -> Callable[[LocalBatch], Any]:
    import boto3

    return lambda server: boto3.client("batch", endpoint_url=server.url, region_name="us-east-1")


# A database server that a test may kill: not the one that the other tests run on


OWN: dict[str, type[Server]] = {
    "mongodb": DocumentDB if os.environ.get("TEST_DATABASE") == "documentdb" else Mongo,
    "postgresql": Postgres,
}


class Own:
    """The server, and the URLs of its database: `patient_url` is this process's."""

    def __init__(self, server: Server):
        self._server = server
        self.patient_url = server.url
        if connection.vendor == "mongodb":
            # A failpoint doesn't change the topology. The driver would look at it again
            # after ten seconds.
            self.patient_url += "&heartbeatFrequencyMS=500"
        #: For processes that are to notice soon that the server is away.
        self.url = self.patient_url.replace(PATIENT, "serverSelectionTimeoutMS=5000")

    def crash(self) -> None:
        connections["own"].close()
        self._server.crash()

    def start(self) -> None:
        self._server.start()

    def run_again(self) -> None:
        if not self._server.running:
            self._server.start()


class ToOwn:
    """A router that sends everything to the server that may be killed."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "own"

    db_for_write = db_for_read


@pytest.fixture(scope="session")
def _own_server() -> Iterator[Server]:
    if connection.vendor not in OWN:
        pytest.skip(f"{connection.vendor} has no server here that could go away")
    # A server that runs as another user can't enter pytest's own folder.
    with tempfile.TemporaryDirectory(prefix="delayed-jobs-own-") as folder:
        server = OWN[connection.vendor](Path(folder))
        server.start()
        try:
            if isinstance(server, Postgres):
                server.create_database()
            command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            environment = {**os.environ, "DATABASE_URL": server.url}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            yield server
        finally:
            if server.running:
                server.stop()


@pytest.fixture
def own(_own_server: Server, settings: Any, django_db_blocker: Any) -> Iterator[Own]:
    """The server, empty and running; what this process enqueues goes there."""
    own = Own(_own_server)
    entry = connections.configure_settings({"default": databases.parse(own.patient_url)})
    connections.settings["own"] = entry["default"]
    settings.DATABASE_ROUTERS = [ToOwn()]
    with django_db_blocker.unblock():
        Job.objects.all().delete()
        yield own
        own.run_again()
        connections["own"].close()
        if connection.vendor == "mongodb":
            connections["own"].close_pool()
    del connections["own"], connections.settings["own"]


@pytest.fixture
def start_on(own: Own, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `manage.py <arguments>` on that server."""
    with processes(tmp_path) as start:
        yield lambda *arguments, **extra: start(*arguments, DATABASE_URL=own.url, **extra)
