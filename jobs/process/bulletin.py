"""What is shown of a worker and of its jobs' progress, by the process that renews its
leases.

So it is shown even while a job hogs the interpreter, and by a connection that isn't a
job's.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from django.db import connections
from django.utils.module_loading import import_string

from jobs.conf import settings
from jobs.logs import get_logger
from jobs.records import MAX_TEXT, Progress, WorkerRecord
from jobs.store import store_for
from jobs.store.keyed import keyed_for
from jobs.store.limits import within
from jobs.store.patience import Complaint
from jobs.text import storable

logger = get_logger(__name__)

#: By its name, because the package itself refers to every room.
VERSION: str = import_string("jobs.__version__")
#: The progress of a job is written this often at most, in seconds.
PROGRESS_INTERVAL = 1.0
#: For how many seconds a write may take at most, so that it doesn't keep leases from
#: being renewed.
MOST = 2.0
#: And at the worker's end, when no lease waits for it.
MOST_AT_END = 5.0
#: Longest message, in characters: a report has to fit into a pipe's atomic write.
MAX_MESSAGE = 200


@dataclass(frozen=True)
class Card:
    """What a worker says of itself."""

    name: str
    queues: tuple[str, ...]
    slots: int
    hands_over: bool
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    def record(self, started_at: dt.datetime, now: dt.datetime, in_hand: int) -> WorkerRecord:
        return WorkerRecord(
            name=self.name,
            host=storable(self.host)[:MAX_TEXT],
            pid=self.pid,
            queues=storable(",".join(self.queues)),
            slots=self.slots,
            in_hand=in_hand,
            hands_over=self.hands_over,
            version=VERSION,
            lease=settings.LEASE,
            started_at=started_at,
            seen_at=now,
        )


Step = Callable[[], object]


class Report(NamedTuple):
    """How far an execution has come."""

    key: str
    epoch: int
    done: float
    total: float | None
    message: str


class Bulletin:
    """What is to be written. Only `carry_out` uses the database; it never raises."""

    def __init__(self, card: Card | None = None):
        self._card = card
        self._started_at: dt.datetime | None = None
        self._next_card = math.inf
        self._reports: dict[int, Report] = {}
        self._written: dict[int, float] = {}
        self._complaint = Complaint(
            logger, "What is shown of the worker and its jobs can't be written: %s"
        )

    def appear(self, started_at: dt.datetime) -> None:
        """From now on the worker is shown, as one that started then."""
        self._started_at, self._next_card = started_at, -math.inf

    def disappear(self) -> None:
        """The worker ends in order: it is shown no more."""
        self._next_card = math.inf

    def report(self, number: int, report: Report) -> None:
        """The latest progress of the hold of that number."""
        self._reports[number] = report
        self._written.setdefault(number, -math.inf)

    def knows(self, number: int) -> bool:
        """Whether the hold of that number has reported."""
        return number in self._written

    def forget(self, number: int) -> None:
        """The hold is let go of: what it said last is void."""
        self._reports.pop(number, None)
        self._written.pop(number, None)

    def due_at(self) -> float:
        """When there is something to write, by time.monotonic(); inf: not yet known."""
        due = [self._written[number] + PROGRESS_INTERVAL for number in self._reports]
        return min([self._next_card, *due])

    def take(self, in_hand: int, *, silent: bool = False) -> list[Step]:
        """What is due, for `carry_out`. A worker that is `silent` isn't shown alive."""
        steps: list[Step] = []
        now = time.monotonic()
        if now >= self._next_card:
            self._next_card = now + settings.LEASE / 4
            if not silent:
                steps.append(partial(self._show, in_hand))
        due = [
            number for number in self._reports if now >= self._written[number] + PROGRESS_INTERVAL
        ]
        if due:
            steps.append(partial(_put, [self._reports.pop(number) for number in due]))
            self._written.update(dict.fromkeys(due, now))
        return steps

    def carry_out(self, steps: list[Step], most: float | None = None) -> None:
        for step in steps:
            try:
                seconds = most or min(MOST, settings.LEASE / 8)
                with within(store_for(WorkerRecord), seconds):
                    step()
                self._complaint.settle()
            except Exception as error:
                self._complaint.make(error)
                connections.close_all()

    def _show(self, in_hand: int) -> None:
        if self._card is not None and self._started_at is not None:
            now = store_for(WorkerRecord).now()
            row = self._card.record(self._started_at, now, in_hand)
            keyed_for(WorkerRecord).put([row], "started_at")

    def remove(self) -> None:
        """Deletes the worker's row, unless it is a successor's of that name."""
        if self._card is not None and self._started_at is not None:
            name, where = self._card.name, {"started_at": self._started_at}
            self.carry_out([partial(store_for(WorkerRecord).delete, name, where)], MOST_AT_END)


def _put(reports: list[Report]) -> None:
    now = store_for(Progress).now()
    rows = [
        Progress(
            key=one.key,
            epoch=one.epoch,
            done=one.done,
            total=one.total,
            message=one.message[:MAX_TEXT],
            updated_at=now,
        )
        for one in reports
    ]
    keyed_for(Progress).put(rows, "epoch")


class Teller:
    """Has a bulletin written by a thread of this process.

    `in_hand` tells how many jobs the worker has.
    """

    def __init__(self, bulletin: Bulletin, in_hand: Callable[[], int]):
        self._bulletin = bulletin
        self._in_hand = in_hand
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def tell(self, change: Callable[..., None], *arguments: Any) -> None:
        """Makes a change to the bulletin, and has written what it asks for."""
        with self._changed:
            change(*arguments)
            if self._thread is None and self._bulletin.due_at() < math.inf:
                name = "jobs-bulletin"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None:
            thread.join(timeout=10)

    def _run(self) -> None:
        me = threading.current_thread()
        try:
            while True:
                with self._changed:
                    left = self._bulletin.due_at() - time.monotonic()
                    if left > 0 and self._thread is me:
                        self._changed.wait(min(left, threading.TIMEOUT_MAX))
                    if self._thread is not me:
                        return
                    steps = self._bulletin.take(self._in_hand())
                self._bulletin.carry_out(steps)
        finally:
            connections.close_all()
