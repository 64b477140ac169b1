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
from functools import partial
from typing import Any

from bench import herd, processes, workers
from bench.beside import Beside
from bench.databases import Database, Databases
from bench.peers.catalogue import Peer
from bench.sizes import Sizes
from bench.tables import SUBJECTS, is_many
from bench.waiting import DATABASES

#: Keeps a record: of a suite, a database and a subject, its figures, and what else
#: distinguishes it.
Record = Callable[..., None]
#: A subject, to what measures it once.
Ways = dict[str, Callable[[], dict[str, Any]]]


class Suites:
    """Each public method is a suite, which measures and records its figures."""

    def __init__(self, databases: Databases, beside: Beside, quick: bool, record: Record):
        self._databases = databases
        self._beside = beside
        self._sizes = Sizes.of(databases.name, quick)
        self._record_figure = record

    def _record(self, suite: str, subject: str, figures: dict[str, Any], **of: Any) -> None:
        self._record_figure(suite, self._databases.name, subject, figures, **of)

    def drain(self) -> None:
        database = self._make("drain")
        jobs = self._sizes.drain
        self._in_turn(
            "drain",
            {
                subject: partial(database.measure, "drain", subject=subject, jobs_number=jobs)
                for subject in ("bare", "jobs")
            }
            | {
                peer.name: partial(self._beside.measure, database, peer, "drain", jobs_number=jobs)
                for peer in self._peers
            },
        )

    def enqueue(self) -> None:
        database = self._make("enqueue")
        one, many = self._sizes.enqueue, self._sizes.many
        ways: Ways = {}
        for subject in SUBJECTS:
            number = many if is_many(subject) else one
            ways[subject] = partial(
                database.measure, "enqueue", subject=subject, jobs_number=number
            )
        for peer in self._peers:
            measure = partial(self._beside.measure, database, peer, "enqueue")
            ways[peer.name] = partial(measure, jobs_number=one)
            if peer.many:
                ways[f"{peer.name} many"] = partial(measure, jobs_number=many, many=True)
        self._in_turn("enqueue", ways)

    def _in_turn(self, suite: str, ways: Ways) -> None:
        for turn in range(self._sizes.rounds):
            for subject in _rotated(list(ways), turn):
                self._record(suite, subject, ways[subject]())

    def workers(self) -> None:
        """Several workers on one queue. Only PostgreSQL serves several well."""
        if self._databases.name != "postgres":
            return
        database = self._make("workers")
        peers = [None, *(peer for peer in self._peers if peer.name == "procrastinate")]
        for turn in range(min(self._sizes.rounds, 2)):
            for kind in ("processes", "threads"):
                for number in workers.NUMBERS:
                    for peer in _rotated(peers, turn):
                        figures = workers.perform(
                            database,
                            self._beside,
                            peer,
                            number,
                            kind == "threads",
                            self._sizes.backlog,
                        )
                        subject = peer.name if peer else "jobs"
                        self._record("workers", subject, figures, kind=kind, number=number)

    def herd(self) -> None:
        """Many idle workers and one job. Only PostgreSQL tells of statements."""
        if self._databases.name != "postgres":
            return
        self._databases.restart_with(f"max_connections = {100 + 5 * self._sizes.herd}")
        database = self._make("herd", peers=False)
        figures = herd.run(database, self._databases.log, self._sizes.herd, 5)
        self._record("herd", "jobs", figures)

    def on_call(self) -> None:
        """The admin's pages, and its actions on all that match, among many jobs."""
        if self._databases.name not in ("sqlite", "postgres"):
            return
        database = self._make("on_call", peers=False)
        database.measure("on_call_table", number=self._sizes.on_call)
        for subject in ("page", "action"):
            for what, figures in database.measure(f"on_call_{subject}s").items():
                self._record("on_call", subject, figures, what=what, number=self._sizes.on_call)
        database.drop()

    def iterator(self) -> None:
        """The memory that many jobs from an iterator take."""
        if self._databases.name in ("sqlite", "postgres"):
            database = self._make("iterator", peers=False)
            figures = database.measure("iterated", number=self._sizes.iterated)
            self._record("iterator", "jobs", figures)
            database.drop()

    def depth(self) -> None:
        for state in self._sizes.states:
            tables: dict[int, Database] = {}
            for depth in self._sizes.depths:
                tables[depth] = self._make(f"{state}{depth}", peers=False)
                tables[depth].measure("fill", state=state, number=depth)
            for turn in range(min(self._sizes.rounds, 3)):
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
        ours, theirs = self._sizes.pick_ups // 2, self._sizes.pick_ups_of_peers // 2
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(2):
                options = {"path": f"{folder}/times", "seed": turn}
                waiting = {"jobs": ["jobworker"]}
                if database.name in DATABASES:
                    waiting["bare"] = ["-m", "bench.waiting", f"{folder}/times"]
                for subject in _rotated(list(waiting), turn):
                    worker = waiting[subject]
                    with processes.running(database, *worker):
                        figures = database.measure(
                            "pick_up", number=ours, subject=subject, **options
                        )
                    self._record("pick_up", subject, figures)
                for peer in self._peers:
                    with self._beside.working(database, peer):
                        figures = self._beside.measure(
                            database, peer, "pick_up", number=theirs, **options
                        )
                    self._record("pick_up", peer.name, figures)

    def idle(self) -> None:
        """What a worker without work takes of the processor and of the memory.

        Its keeper counts with it. The database server is measured, too.
        """
        database = self._make("idle", peers=False)
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
        database = self._make("start", peers=False)
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

        # SQLite's file serves one machine, which has no thousand jobs on AWS Batch.
        if self._databases.name != "sqlite":
            database = self._make("slots", peers=False)
            self._record("slots", "jobs", slots.run(database, self._sizes.slots))

    def following(self) -> None:
        from bench import following

        # What is asked about jobs that run doesn't depend on the database.
        if self._databases.name == "postgres":
            database = self._make("following", peers=False)
            figures = following.run(database, self._sizes.followed, self._sizes.slots)
            self._record("following", "jobs", figures)

    def on_batch(self) -> None:
        """From the call that enqueues to a container on AWS Batch, with short looks and
        with long ones.
        """
        from bench import on_batch

        if self._databases.name == "sqlite":
            return  # its file serves one machine
        for name, poll, settle in (("short", 1.0, 30.0), ("long", 10.0, 120.0)):
            database = self._make(f"{name}_poll", peers=False)
            figures = on_batch.run(database, self._sizes.on_batch, poll, settle)
            self._record("on_batch", "jobs", figures, poll=poll)

    def _make(self, name: str, *, peers: bool = True) -> Database:
        database = self._databases.make(name)
        for peer in self._peers if peers else ():
            self._beside.measure(database, peer, "migrate")
        return database

    @property
    def _peers(self) -> list[Peer]:
        return self._beside.on(self._databases.name)


def _cpu_seconds(pids: list[int]) -> float:
    return sum(map(processes.cpu_seconds, pids))


def _rotated(items: list[Any], by: int) -> list[Any]:
    by %= len(items)
    return items[by:] + items[:by]
