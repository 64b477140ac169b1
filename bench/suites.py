"""What is measured of one database.

The subjects are measured in turn, round after round, so that a slow minute of the
machine slows all of them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import processes
from bench.databases import Database, Databases

#: Keeps a record: of a suite, a database and a subject, its figures, and what else
#: distinguishes it.
Record = Callable[..., None]
#: Subjects that enqueue many jobs at once.
TOGETHER = ("bulk", "many", "lazy")
STATES = ("ready", "scheduled", "running", "failed", "succeeded")


@dataclass
class Sizes:
    """How many jobs, rounds and so on each suite takes."""

    rounds: int
    drain: int
    enqueue: int
    many: int
    depths: tuple[int, ...]
    taken: int
    pick_ups: int
    idle: float
    starts: int
    slots: int
    followed: int

    @classmethod
    def of(cls, database: str, quick: bool) -> Sizes:
        found = replace(QUICK if quick else FULL)
        if database == "mongodb":
            # MongoDB's stand-in looks at every document for a claim, so it gets less.
            found.drain = min(found.drain, 400)
            found.enqueue = min(found.enqueue, 400)
            found.many = min(found.many, 5000)
            found.depths = tuple(depth for depth in (1000, 5000) if depth <= found.depths[-1])
            found.taken = 20
        elif database == "documentdb":
            # It sorts all ready jobs for a claim.
            found.depths = tuple(
                depth for depth in (1000, 10_000, 100_000) if depth <= found.depths[-1]
            )
            found.drain, found.taken = min(found.drain, 1000), 50
        return found


QUICK = Sizes(
    rounds=2,
    drain=200,
    enqueue=100,
    many=1000,
    depths=(1000, 10_000),
    taken=100,
    pick_ups=5,
    idle=3,
    starts=2,
    slots=50,
    followed=2,
)
FULL = Sizes(
    rounds=7,
    drain=2000,
    enqueue=1000,
    many=10_000,
    depths=(1000, 100_000, 1_000_000),
    taken=500,
    pick_ups=60,
    idle=20,
    starts=15,
    slots=1000,
    followed=12,
)


class Suites:
    """Each public method is a suite, which measures and records its figures."""

    def __init__(self, databases: Databases, peer: Path | None, quick: bool, record: Record):
        self._databases = databases
        # django-tasks-db has no MongoDB.
        self._peer = peer if databases.name in ("sqlite", "postgres") else None
        self._sizes = Sizes.of(databases.name, quick)
        self._record_figure = record

    def _record(self, suite: str, subject: str, figures: dict[str, Any], **of: Any) -> None:
        self._record_figure(suite, self._databases.name, subject, figures, **of)

    def drain(self) -> None:
        self._in_turn("drain", "bare", "jobs")

    def enqueue(self) -> None:
        self._in_turn("enqueue", "bare", "jobs", *TOGETHER)

    def _in_turn(self, suite: str, *subjects: str) -> None:
        database = self._make(suite)
        for turn in range(self._sizes.rounds):
            for subject in _rotated(self._subjects(*subjects), turn):
                number = self._sizes.many if subject in TOGETHER else getattr(self._sizes, suite)
                if subject == "peer":
                    figures = database.measure_peer(self._python, suite, jobs_number=number)
                else:
                    figures = database.measure(suite, subject=subject, jobs_number=number)
                self._record(suite, subject, figures)

    def depth(self) -> None:
        for state in STATES:
            tables: dict[int, Database] = {}
            for depth in self._sizes.depths:
                tables[depth] = self._make(f"{state}{depth}", peer=False)
                tables[depth].measure("fill", state=state, number=depth)
            for turn in range(min(self._sizes.rounds, 5)):
                for depth in _rotated(list(tables), turn):
                    for subject in _rotated(["bare", "jobs"], turn):
                        self._take(tables[depth], state, depth, subject)
            for depth, database in tables.items():
                figures = database.measure("others", repeat=5)
                self._record("others", "jobs", figures, state=state, depth=depth)
            for database in tables.values():
                database.drop()

    def _take(self, database: Database, state: str, depth: int, subject: str) -> None:
        """Drains some jobs of a table, and leaves it as deep as it was."""
        number, ready = self._sizes.taken, state == "ready"
        options = {"subject": subject, "jobs_number": number, "enqueue": not ready}
        figures = database.measure("drain", **options)
        self._record("depth", subject, figures, state=state, depth=depth)
        if ready:
            database.measure("fill", state=state, number=number)

    def pick_up(self) -> None:
        database = self._make("pickup")
        with tempfile.TemporaryDirectory() as folder:
            options = {"path": f"{folder}/times", "number": self._sizes.pick_ups // 2}
            for turn in range(2):
                with processes.running(database, "jobworker"):
                    figures = database.measure("pick_up", **options, seed=turn)
                self._record("pick_up", "jobs", figures)
                if self._peer:
                    with self._peers_worker(database):
                        figures = database.measure_peer(
                            self._python, "pick_up", **options, seed=turn
                        )
                    self._record("pick_up", "peer", figures)

    def _peers_worker(self, database: Database) -> AbstractContextManager[int]:
        settings = {"DJANGO_SETTINGS_MODULE": "bench.peer.settings"}
        command = ("-m", "django", "db_worker")
        return processes.running(database, *command, python=str(self._python), **settings)

    def idle(self) -> None:
        """What a worker without work takes of the processor and of the memory.

        Its keeper counts with it. The database server is measured, too.
        """
        database = self._make("idle")
        with processes.running(database, "jobworker") as pid:
            time.sleep(3)
            pids = processes.with_children(pid)
            worker, server = _cpu_seconds(pids), _cpu_seconds(self._servers())
            time.sleep(self._sizes.idle)
            worker = _cpu_seconds(pids) - worker
            server = _cpu_seconds(self._servers()) - server
            figures = processes.memory(pid)
            figures["worker_cpu"] = worker / self._sizes.idle
            figures["server_cpu"] = server / self._sizes.idle
            for keeper in pids[1:2]:
                for name, value in processes.memory(keeper).items():
                    figures[f"keeper_{name}"] = value
            self._record("idle", "jobs", figures)

    def _servers(self) -> list[int]:
        """The processes of the database server."""
        pid = self._databases.pid
        found = processes.with_children(pid) if pid else []
        return [process for process in found if os.path.exists(f"/proc/{process}")]

    def start_up(self) -> None:
        """How long `runjob` takes for a job that does nothing.

        Python and Django alone are measured beside it.
        """
        database = self._make("start", peer=False)
        python = sys.executable
        for _ in range(self._sizes.starts):
            [pk] = database.measure("enqueued")["ids"]
            commands = {
                "python": [python, "-c", "pass"],
                "django": [python, "-c", "import django; django.setup()"],
                "jobs": [python, "manage.py", "runjob", str(pk)],
            }
            for subject, command in commands.items():
                self._record("start_up", subject, processes.timed(command, database.environment))

    def slots(self) -> None:
        from bench import slots

        database = self._make("slots", peer=False)
        self._record("slots", "jobs", slots.run(database, self._sizes.slots))

    def following(self) -> None:
        from bench import following

        database = self._make("following", peer=False)
        figures = following.run(database, self._sizes.followed, self._sizes.slots)
        self._record("following", "jobs", figures)

    def _make(self, name: str, *, peer: bool = True) -> Database:
        database = self._databases.make(name)
        if peer and self._peer:
            database.measure_peer(self._python, "migrate")
        return database

    @property
    def _python(self) -> Path:
        assert self._peer is not None
        return self._peer

    def _subjects(self, *subjects: str) -> list[str]:
        return [*subjects, "peer"] if self._peer else list(subjects)


def _cpu_seconds(pids: list[int]) -> float:
    return sum(map(processes.cpu_seconds, pids))


def _rotated(items: list[Any], by: int) -> list[Any]:
    by %= len(items)
    return items[by:] + items[:by]
