"""The traces of executions, gathered off the path of a job and written many at once.

The slot of a job is free long before AWS Batch says how its Batch job ended. The trace
waits for that, for a while.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchexec.aws.failures import container_of, essence, sizes
from batchexec.conf import settings
from batchexec.executions import about_execution
from batchexec.models import BatchExecutionRecord, BatchJob
from batchexec.process.crew import Crew
from batchexec.process.watches import Watch, Watches
from batchexec.statuses import TERMINAL
from jobs.exceptions import JobError
from jobs.logs import get_logger
from jobs.store import store_for
from jobs.store.limits import waiting
from jobs.store.patience import brief
from jobs.text import storable

logger = get_logger(__name__)

#: For how many seconds AWS Batch is waited for to say how a Batch job ended.
AWAITED = 600.0
#: Traces that a process keeps at most while the database doesn't take them.
MOST = 10_000
#: Traces written by one statement.
AT_ONCE = 500

Detail = Mapping[str, Any]


@dataclass(eq=False)
class Trace:
    """What the worker knows of an execution that is over."""

    marker: BatchJob
    name: str
    #: "succeeded", "scheduled" (it is tried again), "failed", "cancelled", "deleted".
    outcome: str
    failure: str = ""
    detail: Detail | None = None
    #: Called with the last word of AWS Batch; returns whether the trace is this
    #: process's to write. Without that word, it isn't.
    then: Callable[[Detail], bool] | None = None
    watch: Watch | None = None
    began: float = field(default_factory=time.monotonic)

    def is_complete(self) -> bool:
        """Whether AWS Batch has said its last word, or won't in time."""
        if self.watch is not None and self.watch.detail is not None:
            self.detail = self.watch.detail
        if self.detail is not None and self.detail["status"] in TERMINAL:
            return True
        return time.monotonic() - self.began > AWAITED


class Traces:
    """The traces of one process, on their way to the database."""

    def __init__(self, watches: Watches, database: Crew):
        self._watches = watches
        self._database = database
        self._open: list[Trace] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, trace: Trace) -> None:
        """Takes the trace, and returns at once; it is written once it is complete.

        An execution that was never submitted leaves none.
        """
        if not trace.marker.batch_job_id or not (settings.KEEP_EXECUTIONS_FOR or trace.then):
            return
        if not trace.is_complete():
            trace.watch = self._watches.begin(trace.marker.batch_job_id)
        with self._lock:
            self._open.append(trace)
            if self._thread is None:
                self._closing.clear()
                name = "batchexec-traces"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Writes what there is, complete or not: the worker ends."""
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            closing = self._closing.wait(settings.POLL_INTERVAL)
            with self._lock:
                complete = [one for one in self._open if closing or one.is_complete()]
                taken = set(complete)
                self._open = [one for one in self._open if one not in taken]
            refused = self._write([trace for trace in complete if self._is_ours(trace)])
            with self._lock:
                self._open = [] if closing else [*refused, *self._open][-MOST:]
                if not self._open:
                    self._thread = None
                    return

    def _is_ours(self, trace: Trace) -> bool:
        if trace.watch is not None:
            trace.is_complete()  # takes what was seen last
            self._watches.end(trace.watch)
            trace.watch = None
        then, trace.then = trace.then, None
        if then is None:
            return True
        if trace.detail is None or trace.detail["status"] not in TERMINAL:
            return False
        with about_execution(trace.marker):
            try:
                return self._database.do(then, trace.detail)
            except Exception as error:
                text = "What became of %s could not be settled, so a sweep does that: %s"
                logger.warning(text, trace.marker, brief(error))
                return False

    def _write(self, traces: list[Trace]) -> list[Trace]:
        """Returns those that the database doesn't take now."""
        if not settings.KEEP_EXECUTIONS_FOR:
            return []
        for start in range(0, len(traces), AT_ONCE):
            try:
                self._database.do(write, traces[start : start + AT_ONCE])
            except Unavailable as error:
                logger.warning("Traces of executions can't be written now: %s", error)
                return traces[start:]
            except Exception as error:
                logger.error("Traces of executions could not be written: %s", brief(error))
        return []


class Unavailable(JobError):
    """The database can't be reached now."""


def write(traces: list[Trace]) -> None:
    """Inserts a row for each."""
    store = store_for(BatchExecutionRecord)
    try:
        now = store.now()
        with waiting(store):
            store.insert([_record(trace, now) for trace in traces])
    except Exception as error:
        if store.is_unavailable(error):
            store.reconnect()
            raise Unavailable(brief(error)) from error
        raise


def forget_old() -> int:
    """Deletes those that are older than KEEP_EXECUTIONS_FOR; returns how many."""
    store, age = store_for(BatchExecutionRecord), dt.timedelta(seconds=settings.KEEP_EXECUTIONS_FOR)
    with waiting(store):
        return store.delete_many({"recorded_at__lt": store.now() - age})


def complete(record: BatchExecutionRecord, detail: Detail) -> None:
    """Adds AWS Batch's last word to a trace that was written without it."""
    if detail["status"] not in TERMINAL:
        return
    said = _said(essence(detail), record)
    if store_for(BatchExecutionRecord).change(record.pk, {"status": record.status}, said):
        for name, value in said.items():
            setattr(record, name, value)


def _record(trace: Trace, now: dt.datetime) -> BatchExecutionRecord:
    marker = trace.marker
    return BatchExecutionRecord(
        job_id=marker.job_id,
        epoch=marker.epoch,
        name=storable(trace.name)[:255],
        outcome=trace.outcome,
        failure=trace.failure,
        batch_job_id=marker.batch_job_id,
        job_name=marker.job_name,
        job_queue=marker.job_queue,
        job_definition=marker.job_definition,
        recorded_at=now,
        **_said(trace.detail or {}, marker),
    )


def _said(detail: Detail, known: BatchJob | BatchExecutionRecord) -> dict[str, Any]:
    """What AWS Batch says of the execution; else what is `known` of it."""
    container, got = container_of(detail), sizes(detail)
    exit_code = container.get("exitCode")
    return {
        "status": str(detail.get("status") or known.status),
        "status_reason": str(detail.get("statusReason") or known.status_reason),
        "reason": str(container.get("reason") or ""),
        "exit_code": exit_code if isinstance(exit_code, int) else None,
        "log_stream": str(container.get("logStreamName") or known.log_stream),
        "attempts": detail.get("attempts", 0),
        "vcpu": got.get("VCPU", ""),
        "memory": got.get("MEMORY", ""),
        "gpu": got.get("GPU", ""),
        "submitted_at": _instant(detail.get("createdAt")) or known.submitted_at,
        "started_at": _instant(detail.get("startedAt")),
        "stopped_at": _instant(detail.get("stoppedAt")),
    }


def _instant(milliseconds: Any) -> dt.datetime | None:
    """AWS's instants are milliseconds since 1970; None for what can't be one."""
    try:
        return dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
