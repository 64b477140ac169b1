"""What is measured of one database: each subject in turn, round after round, so that a slow minute is everybody's."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import processes
from bench.databases import Database, Databases

#: suite, database, what it is of, and the figure.
Record = Callable[..., None]
STATES = ("ready", "scheduled", "running", "failed", "succeeded")


@dataclass
class Sizes:
    """How much of everything. MongoDB's stand-in looks at every document for each claim, so that it gets less."""

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

    @classmethod
    def of(cls, database: str, quick: bool) -> Sizes:
        if quick:
            found = cls(2, 200, 100, 1000, (1000, 10_000), 100, 5, 3, 2, 50)
        else:
            found = cls(7, 2000, 1000, 10_000, (1000, 100_000, 1_000_000), 500, 60, 20, 15, 1000)
        if database == "mongodb":
            found.drain, found.enqueue, found.many = (
                min(found.drain, 400),
                min(found.enqueue, 400),
                min(found.many, 5000),
            )
            found.depths, found.taken = (
                tuple(depth for depth in (1000, 5000) if depth <= found.depths[-1]),
                20,
            )
        return found


class Suites:
    def __init__(self, databases: Databases, peer: Path | None, quick: bool, record: Record):
        self._databases = databases
        # django-tasks-db has no MongoDB.
        self._peer = peer if databases.name != "mongodb" else None
        self._sizes = Sizes.of(databases.name, quick)
        self._record_figure = record

    def _record(self, suite: str, subject: str, figures: dict[str, Any], **of: Any) -> None:
        self._record_figure(suite, self._databases.name, subject, figures, **of)

    def drain(self) -> None:
        self._in_turn("drain", "bare", "jobs")

    def enqueue(self) -> None:
        self._in_turn("enqueue", "bare", "jobs", "many")

    def _in_turn(self, suite: str, *subjects: str) -> None:
        database = self._make(suite)
        for turn in range(self._sizes.rounds):
            for subject in _rotated(self._subjects(*subjects), turn):
                number = self._sizes.many if subject == "many" else getattr(self._sizes, suite)
                if subject == "peer":
                    figures = database.measure_peer(self._python, suite, jobs_number=number)
                else:
                    figures = database.measure(suite, subject=subject, jobs_number=number)
                self._record(suite, subject, figures)

    def depth(self) -> None:
        for state in STATES:
            tables = {
                depth: self._make(f"{state}{depth}", peer=False) for depth in self._sizes.depths
            }
            for depth, database in tables.items():
                database.measure("fill", state=state, number=depth)
            for turn in range(min(self._sizes.rounds, 5)):
                for depth in _rotated(list(tables), turn):
                    for subject in _rotated(["bare", "jobs"], turn):
                        self._take(tables[depth], state, depth, subject)
            for depth, database in tables.items():
                self._record(
                    "others", "jobs", database.measure("others", repeat=5), state=state, depth=depth
                )
            for database in tables.values():
                database.drop()

    def _take(self, database: Database, state: str, depth: int, subject: str) -> None:
        number, waiting = self._sizes.taken, state == "ready"
        figures = database.measure(
            "drain", subject=subject, jobs_number=number, enqueue=not waiting
        )
        self._record("depth", subject, figures, state=state, depth=depth)
        if waiting:
            database.measure("fill", state=state, number=number)

    def pick_up(self) -> None:
        database = self._make("pickup")
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(2):
                options = {
                    "path": f"{folder}/times",
                    "number": self._sizes.pick_ups // 2,
                    "seed": turn,
                }
                with processes.running(database, "jobworker"):
                    self._record("pick_up", "jobs", database.measure("pick_up", **options))
                if self._peer:
                    worker = ("-m", "django", "db_worker")
                    settings = {"DJANGO_SETTINGS_MODULE": "bench.peer.settings"}
                    with processes.running(database, *worker, python=str(self._python), **settings):
                        self._record(
                            "pick_up",
                            "peer",
                            database.measure_peer(self._python, "pick_up", **options),
                        )

    def idle(self) -> None:
        """What a worker without work takes of the processor, its keeper and the database server with it."""
        database = self._make("idle")
        with processes.running(database, "jobworker") as pid:
            time.sleep(3)
            pids = processes.with_children(pid)
            server = [self._databases.pid] if self._databases.pid else []
            before = [sum(map(processes.cpu_seconds, group)) for group in (pids, _family(server))]
            time.sleep(self._sizes.idle)
            after = [sum(map(processes.cpu_seconds, group)) for group in (pids, _family(server))]
            worker, of_server = (
                (late - early) / self._sizes.idle for early, late in zip(before, after, strict=True)
            )
            figures: dict[str, Any] = {
                "worker_cpu": worker,
                "server_cpu": of_server,
                **processes.memory(pid),
            }
            keeper = processes.memory(pids[1]) if len(pids) > 1 else {}
            figures.update({f"keeper_{name}": value for name, value in keeper.items()})
            self._record("idle", "jobs", figures)

    def start_up(self) -> None:
        """A Batch job's command, for a job that does nothing, beside what Python and Django take by themselves."""
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


def _family(pids: list[int]) -> list[int]:
    return [
        process
        for pid in pids
        for process in processes.with_children(pid)
        if os.path.exists(f"/proc/{process}")
    ]


def _rotated(items: list[Any], by: int) -> list[Any]:
    by %= len(items)
    return items[by:] + items[:by]
