"""What the slots of one process watch, and the threads that look for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from batchexec.aws.container import registered_batch_job
from batchexec.conf import settings
from batchexec.statuses import TERMINAL
from jobs.states import State

if TYPE_CHECKING:
    import datetime as dt

    from jobs.models import AbstractJob

#: AWS Batch is asked again after a multiple of the time in which nothing has changed:
#: of a job that its row says runs, of an execution that is over, and of any other.
RUNS, IS_OVER, WAITS = 2.0, 0.5, 0.1
#: Watches that begin within this many seconds share their first look.
GATHER = 0.1
#: New watches may cause a look this much sooner than POLL_INTERVAL, but no sooner.
SOONEST = 1 / 5


class Watch:
    """What is known of one Batch job, and of its job's row.

    `changed` is set when there is cause to look, and when the worker stops. `polled` is
    raised after `detail` is written: read `polled` first, and you miss no poll. Without
    a `job`, only the Batch job is watched: its execution is over.
    """

    def __init__(self, batch_job_id: str, job: AbstractJob | None = None):
        self.batch_job_id = batch_job_id
        self.job = job
        #: What AWS Batch said last.
        self.detail: dict[str, Any] | None = None
        self.polled = 0
        #: Since when AWS Batch doesn't know it, by time.monotonic(), or None.
        self.unknown_since: float | None = None
        #: When it was asked for the last answer.
        self.asked_at = 0.0
        #: The row says that the epoch is past, or that another watches the job.
        self.row_has_moved = False
        self.changed = threading.Event()
        #: When AWS Batch is asked next, by time.monotonic().
        self.due = 0.0
        self._same_since = time.monotonic()
        self._is_registered = False
        self._beats = False

    @property
    def is_terminal(self) -> bool:
        """Whether AWS Batch has said that the Batch job is over."""
        return self.detail is not None and self.detail["status"] in TERMINAL

    @property
    def unknown_for(self) -> float:
        """For how many seconds, at least, AWS Batch hasn't known it.

        Of the time since the last answer nothing is known, and it may be long: a
        process can be held up.
        """
        return 0.0 if self.unknown_since is None else self.asked_at - self.unknown_since

    def tell(self, detail: dict[str, Any] | None, asked_at: float, now: float) -> None:
        """A poll that began at `asked_at` has ended at `now`, both by time.monotonic():
        `detail` is what it found.
        """
        self.asked_at = asked_at
        before, self.detail = self.detail, detail
        if detail is not None:
            self.unknown_since = None
        elif self.unknown_since is None:
            self.unknown_since = now
        if _status(detail) != _status(before):
            self._same_since = now
        self.due = now + self._pause(now)
        self.polled += 1
        # While the Batch job just goes on, its slot may sleep.
        if detail is None or detail != before or self.is_terminal:
            self.changed.set()

    def tell_row(self, row: AbstractJob | None, silent_since: dt.datetime) -> None:
        """The row as it is now; None if it is gone.

        A runner whose last heartbeat is older than `silent_since` is silent.
        """
        job = self.job
        if job is None:
            return
        if row is not None and _is_watched(row, job):
            self._tell_runner(row, silent_since)
        else:
            self.row_has_moved = True
            self.changed.set()

    def _tell_runner(self, row: AbstractJob, silent_since: dt.datetime) -> None:
        beat = row.heartbeat_at
        is_ours = registered_batch_job(row) == self.batch_job_id
        beats = is_ours and beat is not None and beat >= silent_since
        self._is_registered = bool(row.runner)
        if beats != self._beats:
            self._beats, self._same_since = beats, time.monotonic()
            self.due = 0.0

    def _pause(self, now: float) -> float:
        """How long the row can be trusted to say what AWS Batch would.

        A silent runner, or an end that the row doesn't confirm, is asked about at each
        look.
        """
        if self.job is None:
            part = IS_OVER
        elif self.is_terminal or (self._is_registered and not self._beats):
            part = 0.0
        elif self._beats:
            part = RUNS if _status(self.detail) in ("", "RUNNING") else 0.0
        else:
            part = WAITS if self.detail is not None else 0.0
        longest = max(settings.POLL_LONGEST, settings.POLL_INTERVAL)
        wanted = max(settings.POLL_INTERVAL, part * (now - self._same_since))
        return float(min(wanted, longest))


def _is_watched(row: AbstractJob, job: AbstractJob) -> bool:
    """Whether the watcher of `job`, as it was reserved, still is to watch it."""
    seen, reserved = (row.epoch, row.locked_by), (job.epoch, job.locked_by)
    return seen == reserved and row.state == State.RUNNING


def _status(detail: dict[str, Any] | None) -> str:
    return "" if detail is None else str(detail["status"])


class Rounds:
    """A thread that looks at all watches, again and again, while there are any.

    An `eager` one doesn't let a new watch wait for a whole interval.
    """

    def __init__(self, name: str, look: Callable[[list[Watch]], float], *, eager: bool):
        self._name = name
        self._eager = eager
        #: Looks once, and returns the seconds until the next look.
        self._look = look
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, watches: Watches) -> None:
        """Called with the watches' lock held, for each new watch."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(watches,), name=self._name, daemon=True
            )
            self._thread.start()
        if self._eager:
            self._news.set()

    def wake(self) -> None:
        self._news.set()

    def _run(self, watches: Watches) -> None:
        pause, looked = 0.0, 0.0
        while True:
            if self._news.wait(pause):
                # New watches are gathered.
                soonest = looked + settings.POLL_INTERVAL * SOONEST - time.monotonic()
                time.sleep(max(GATHER, soonest))
                self._news.clear()
            with watches.lock:
                found = watches.all()
                if not found:
                    self._thread = None
                    return
            looked = time.monotonic()
            pause = self._look(found)


class Watches:
    """The watches of a process."""

    def __init__(self, *rounds: Rounds):
        self._rounds = rounds
        self._watches: dict[int, Watch] = {}
        self.lock = threading.RLock()

    def begin(self, batch_job_id: str, job: AbstractJob | None = None) -> Watch:
        """Has the Batch job, and the row of `job`, looked at until `end`."""
        watch = Watch(batch_job_id, job)
        with self.lock:
            self._watches[id(watch)] = watch
            for rounds in self._rounds:
                rounds.begin(self)
        return watch

    def end(self, watch: Watch) -> None:
        """Ends a watch; one that has ended already is left as it is."""
        with self.lock:
            self._watches.pop(id(watch), None)
            if not self._watches:
                for rounds in self._rounds:
                    rounds.wake()

    def all(self) -> list[Watch]:
        with self.lock:
            return list(self._watches.values())

    def wake_everybody(self) -> None:
        """Has every slot look whether it is still to go on."""
        for watch in self.all():
            watch.changed.set()
