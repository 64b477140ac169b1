"""Real processes on the tests' database, and waiting for what they do."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from django.db import connection, connections, transaction
from django.utils import timezone

from jobs.models import Job, State

ROOT = Path(__file__).resolve().parent.parent

T = TypeVar("T")

#: A lease that ends soon, in seconds: only for a test that waits for that, and only
#: where it harms nothing that a busy machine takes the living for dead.
LEASE = 5.0
#: Polls are short in tests. The lease is long, because everybody reaps, containers too,
#: and a process may be held up for seconds: `expire_leases()` tells of a death.
FAST = {
    "JOBS_LEASE": "20",
    "JOBS_SLEEP_DELAY": "0.1",
    "BATCHEXEC_POLL_INTERVAL": "0.2",
    "BATCHEXEC_SETTLE": "2",
    "BATCHEXEC_GONE_AFTER": "3",
}

#: How late the local AWS Batch is, in seconds, where containers work on the tests'
#: database; see CONTRIBUTING.md.
BATCH_LAG = float(os.environ.get("TEST_BATCH_LAG", "0"))
LATE: dict[str, float] = {}
if BATCH_LAG:
    LATE = {"lag": BATCH_LAG, "list_lag": 2 * BATCH_LAG, "tps": 50}
    # Longer than a container takes to start and to end.
    FAST["BATCHEXEC_GONE_AFTER"] = str(3 + 6 * BATCH_LAG)
    # Longer than ListJobs may be blind: a lag may be half as long again.
    FAST["BATCHEXEC_SETTLE"] = str(2 + 1.5 * LATE["list_lag"])


def late(seconds: float) -> float:
    """A limit for what the local AWS Batch shows meanwhile, which grows with its lag: a
    few changes of a status, or one look of ListJobs.
    """
    return seconds + 4 * BATCH_LAG


def wait_for(condition: Callable[[], T], seconds: float = 120, what: str = "") -> T:
    """The first true value of `condition()`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)  # to ask costs the processor that others wait for
    return found


def database_url() -> str:
    """The URL of the database that this test run made."""
    url, name = os.environ["DATABASE_URL"], connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **FAST, "DATABASE_URL": database_url(), **extra}


class Process:
    """`manage.py <arguments>`, with its output kept."""

    def __init__(self, folder: Path, *arguments: str, **extra: str):
        self.log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=environment(**extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, signum: int) -> None:
        self.popen.send_signal(signum)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(120)

    def wait(self, seconds: float = 120) -> int:
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It didn't end within {seconds:g} s:\n{self.output}") from None


@contextmanager
def processes(folder: Path) -> Iterator[Callable[..., Process]]:
    """A function that starts processes, all of which are ended afterwards."""
    started: list[Process] = []

    def start(*arguments: str, **extra: str) -> Process:
        started.append(Process(folder, *arguments, **extra))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            if process.popen.poll() is None:
                process.send(signal.SIGCONT)
                process.kill()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def row(job: Any) -> Any:
    return type(job).objects.filter(pk=job.pk).first()


def expire_leases(**of: object) -> None:
    """As if whoever watches a job, or those of these columns, had been silent for a
    week. If they have, nothing changes.
    """
    now = timezone.now()
    renewed = Job.objects.filter(locked_at__gt=now - dt.timedelta(days=6), **of)
    renewed.update(locked_at=now - dt.timedelta(days=7))


def silence_runners() -> None:
    """As if whoever executes a job had been silent for a week."""
    long_ago = timezone.now() - dt.timedelta(days=7)
    Job.objects.filter(heartbeat_at__isnull=False).update(heartbeat_at=long_ago)


def make_due(job: Any) -> None:
    """Ends the back-off of a job, as soon as it is rescheduled or gone."""
    wait_for(
        lambda: (found := row(job)) is None or found.state == State.SCHEDULED,
        what="it was rescheduled",
    )
    Job.objects.filter(pk=job.pk, state=State.SCHEDULED).update(run_at=timezone.now())


@contextmanager
def in_a_thread(work: Callable[[], object]) -> Iterator[None]:
    """Does it in another thread, while the body runs; then waits for its end."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(300)
        assert not thread.is_alive(), f"{work} goes on"


@contextmanager
def locked(how: str) -> Iterator[None]:
    """Somebody keeps everybody else from what the statement `how` locks, while the body
    runs; who waits for the end of that gets it after five minutes, and the test fails.
    """
    is_locked, done, gave_up = threading.Event(), threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(how)
            is_locked.set()
            if not done.wait(300):
                gave_up.set()

    with in_a_thread(lock):
        try:
            assert is_locked.wait(120)
            yield
            assert not gave_up.is_set(), "the lock was waited for"
        finally:
            done.set()


@contextmanager
def released(go: Path, once: Callable[[], object]) -> Iterator[None]:
    """Lets a waiting job end, once something has come about while the body runs."""

    def release() -> None:
        try:
            wait_for(once)
        finally:
            go.touch()

    with in_a_thread(release):
        yield
