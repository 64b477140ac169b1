"""What became of executions, for the person on call: gathered in memory, written later.

A job's own statements don't grow by it. What a process that is killed has not written
yet, some seconds' worth, is lost.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import connections

from jobs.execution import notes
from jobs.logs import get_logger
from jobs.records import Activity
from jobs.store import store_for
from jobs.store.patience import Complaint, until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: What is noted is written this often, in seconds.
INTERVAL = 5.0
#: The thread that writes ends after this number of intervals without a note.
IDLE = 12
#: For how many seconds a database that can't be reached is waited for at the end.
PATIENCE_AT_END = 5.0


class Journal:
    """Takes notes at once, and never raises. In its body a thread writes them; else
    `write` and `close` do.
    """

    def __init__(self) -> None:
        self._notes = notes.Notes()
        self._lock = threading.Lock()
        self._has_thread = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._complaint = Complaint(
            logger, "What became of jobs can't be recorded for the person on call: %s"
        )

    def succeeded(self, job: AbstractJob, seconds: float) -> None:
        """After its outcome was written."""
        self._note(lambda: self._succeeded(job, seconds))

    def _succeeded(self, job: AbstractJob, seconds: float) -> None:
        self._notes.ended("performed", job.queue, notes.class_name(job), seconds, notes.waited(job))
        if (job.attempts or job.has_reported) and not job.succeeded_rows_are_kept:
            self._notes.gone(job)

    def attempt(self, job: AbstractJob, worker: str, error: BaseException) -> notes.Attempt:
        """The attempt as it is before its outcome is written."""
        try:
            return notes.Attempt.of(job, worker, error)
        except Exception as raised:
            self._complaint.make(raised)
            return notes.Attempt(None, None, None)

    def failed(self, job: AbstractJob, attempt: notes.Attempt) -> bool:
        """After its outcome was written. Returns True."""
        now = dt.datetime.now(dt.timezone.utc)
        self._note(lambda: self._notes.failed(job, attempt, now))
        return True

    def _note(self, note: Callable[[], None]) -> None:
        try:
            with self._lock:
                note()
                if self._has_thread:
                    self._have_it_written()
        except Exception as error:
            self._complaint.make(error)

    def _have_it_written(self) -> None:
        if self._notes.is_urgent:
            self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jobs-journal", daemon=True)
            self._thread.start()

    def __enter__(self) -> Journal:
        """In the body, a thread writes what is noted, on a connection of its own."""
        self._closing.clear()
        self._has_thread = True
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Writes what there is, and ends the thread."""
        with self._lock:
            self._has_thread = False
            thread = self._thread
            self._closing.set()
            self._wake.set()
        if thread is not None:
            thread.join(3 * PATIENCE_AT_END)  # the database may not answer at all
        else:
            self.write(patience=PATIENCE_AT_END)

    def _run(self) -> None:
        idle = 0
        try:
            while True:
                self._wake.wait(INTERVAL)
                self._wake.clear()
                closing = self._closing.is_set()
                idle = 0 if self._notes else idle + 1
                self.write(patience=PATIENCE_AT_END if closing else None)
                with self._lock:
                    if closing or (idle >= IDLE and not self._notes):
                        self._thread = None
                        return
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
            connections.close_all()

    def write(self, patience: float | None = None) -> None:
        """Writes what is noted, by this thread's connection.

        A database that can't be reached is waited for up to `patience` seconds; then it
        is noted still.
        """
        with self._lock:
            taken, self._notes = self._notes, notes.Notes()
        if not taken:
            return
        if taken.lost:
            text = "%d failed attempts are not recorded, because there were too many at once"
            logger.warning(text, taken.lost)
            taken.lost = 0
        store = store_for(Activity)
        try:
            if patience is None:
                taken.write()
            else:
                never = threading.Event()
                until_available(store, taken.write, never, give_up_after=patience)
            self._complaint.settle()
        except Exception as error:
            self._complaint.make(error)
            if store.is_unavailable(error):
                store.reconnect()
                with self._lock:
                    self._notes.put_back(taken)


class AtOnce(Journal):
    """Writes each note as it is taken: for who records an outcome and may end then."""

    def _note(self, note: Callable[[], None]) -> None:
        super()._note(note)
        self.write()
