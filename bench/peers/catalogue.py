"""Which queues are measured beside this one, and what each of them promises."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Prints which of the modules named as arguments this Python can import.
LOOK = """
import importlib.util, json, sys
print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name)]))
"""


@dataclass(frozen=True)
class Peer:
    """A queue as it is when nothing is set that needn't be."""

    name: str
    title: str
    #: The package that it needs, and the module here of that name.
    module: str
    databases: tuple[str, ...]
    #: What becomes of a job whose worker dies, and what is kept of a finished one.
    promise: str
    #: How it enqueues many at once; empty if it can't.
    many: str = ""
    #: Whether it loses no job when the worker or the store of its jobs dies.
    durable: bool = True
    #: A worker, as arguments of `python -m`.
    worker: tuple[str, ...] = ()

    def obstacle(self, importable: set[str]) -> str:
        """Why it can't be measured here; empty if it can."""
        if self.module not in importable:
            needed = " (it needs Python 3.12)" if self.name == "django-ox" else ""
            return f"{self.title} isn't installed{needed}"
        if self.name == "celery" and shutil.which("redis-server") is None:
            return f"{self.title} needs a redis-server"
        return ""


#: What this queue promises, in the same words.
OWN_PROMISE = "tried again after a lease; not kept"

PEERS = (
    Peer(
        name="procrastinate",
        title="procrastinate",
        module="procrastinate",
        databases=("postgres",),
        promise="stays until your own code retries it; kept",
        many="batch_defer",
        worker=("django", "procrastinate", "worker"),
    ),
    Peer(
        name="django-tasks-db",
        title="django-tasks-db",
        module="django_tasks_db",
        databases=("sqlite", "postgres"),
        promise="stays `RUNNING` for ever; kept",
        worker=("django", "db_worker"),
    ),
    Peer(
        name="django-ox",
        title="django-ox",
        module="django_ox",
        databases=("sqlite", "postgres"),
        promise="tried again after a lease; kept",
        many="enqueue_many",
        worker=("django", "ox_worker"),
    ),
    Peer(
        name="celery",
        title="celery with Redis",
        module="celery",
        databases=("postgres",),
        promise="lost, at most once; not kept",
        durable=False,
        worker=("celery", "-A", "bench.peers.celery", "worker", "--loglevel", "WARNING"),
    ),
    Peer(
        name="huey",
        title="huey with SQLite",
        module="huey",
        databases=("sqlite",),
        promise="lost, at most once; not kept",
        durable=False,
        worker=("bench.peers.huey",),
    ),
)
BY_NAME = {peer.name: peer for peer in PEERS}


def measurable(python: Path) -> tuple[list[Peer], list[str]]:
    """The peers that can be measured with that Python, and why the others can't."""
    modules = [peer.module for peer in PEERS]
    done = subprocess.run(
        [str(python), "-c", LOOK, *modules], capture_output=True, text=True, check=True
    )
    importable = set(json.loads(done.stdout))
    obstacles = {peer.name: peer.obstacle(importable) for peer in PEERS}
    return (
        [peer for peer in PEERS if not obstacles[peer.name]],
        [obstacle for obstacle in obstacles.values() if obstacle],
    )
