"""What every step of an execution needs: the job's record as it is now, patience, and the moments to let go."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from batchexec.aws.client import BatchClient, Throttled, configuration_error
from batchexec.process.crew import Crew
from batchexec.process.pacer import Pacer
from jobs.execution import outcomes
from jobs.models import State
from jobs.store import store_for
from jobs.store.patience import until_available

if TYPE_CHECKING:
    from batchexec.models import BatchJob
    from jobs.models import AbstractJob
    from jobs.worker import Worker

logger = logging.getLogger("batchexec.execution")

T = TypeVar("T")

#: Pause before something that AWS Batch didn't take is tried again: the first, and the longest, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: How long a slot waits for its turn before it looks whether it is still to go on, in seconds.
LONGEST_WAIT = 1.0
#: What all the slots of one process have of the database, and how many of them submit at once.
DATABASE_CONNECTIONS = 5
SUBMITTING_AT_ONCE = 10


class LetGo(Exception):
    """The worker stops, or doesn't hold the job any more: it is to be watched by somebody else."""


class Ended(Exception):
    """The execution is over, as the job's own record says."""


class Gates:
    """What the slots of one process share, so that no number of them is a storm on the database or on AWS Batch."""

    def __init__(self) -> None:
        self.database = Crew(DATABASE_CONNECTIONS, "batchexec-database")
        self.batch = Crew(SUBMITTING_AT_ONCE, "batchexec-calls")
        self.entrance = threading.BoundedSemaphore(SUBMITTING_AT_ONCE)
        self.pacer = Pacer()


class Steps:
    def __init__(self, worker: Worker, job: AbstractJob, client: BatchClient, gates: Gates):
        self.worker = worker
        self.job = job
        self.client = client
        self.gates = gates
        self.store = store_for(type(job))
        self.label = {"job_id": str(job.pk), "job_name": job.name, "epoch": job.epoch}

    def row(self) -> AbstractJob:
        """The job as it is now. Ended where this execution is over, LetGo where it is another's to watch."""
        row = self.persist(lambda: self.store.get(self.job.pk))
        if row is None or row.epoch != self.job.epoch:
            raise Ended
        if row.locked_by != self.job.locked_by or row.state != State.RUNNING:
            raise LetGo
        return row

    def check_in(self) -> None:
        """Before each step: LetGo or Ended where the worker is not to go on."""
        if self.worker.stopping.is_set():
            raise LetGo
        if not self.worker.still_holds(self.job):
            self.row()
            raise LetGo

    def persist(self, step: Callable[[], T]) -> T:
        """A step on the database: retried while that can't be reached, because the job goes on meanwhile."""
        result = self.on_database(lambda: until_available(self.store, step, threading.Event(), give_up_after=outcomes.PATIENCE))
        return result  # type: ignore[return-value]

    def on_database(self, step: Callable[[], T]) -> T:
        """A step that sees to it itself where the database can't be reached."""
        return self.gates.database.do(step)

    @contextmanager
    def entrance(self) -> Iterator[None]:
        """One of the few that submit at once, in its turn: with a thousand slots, a start would otherwise be a storm."""
        while not self.gates.entrance.acquire(timeout=LONGEST_WAIT):
            self.check_in()
        try:
            self.wait_for_turn()
            yield
        finally:
            self.gates.entrance.release()

    def wait_for_turn(self) -> None:
        """Until the rate allows another submission."""
        self.worker.stopping.wait(self.gates.pacer.turn())
        self.check_in()

    def ask_batch(self, question: Callable[[], T]) -> T:
        """A call that starts nothing: asked again until AWS Batch answers. What is configured wrongly costs the job nothing."""
        pause = FIRST_PAUSE
        while True:
            self.check_in()
            try:
                return self.gates.batch.do(question)
            except Exception as error:
                text = configuration_error(error) or str(error)
                logger.warning("AWS Batch can't be asked about job %s: %s", self.job, text, extra=self.label)
            self.pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def submit(self, request: dict[str, Any]) -> str:
        """As BatchClient.submit; what AWS Batch says to it sets the pace of all the slots."""
        try:
            batch_job_id = self.gates.batch.do(lambda: self.client.submit(request))
        except Throttled:
            self.gates.pacer.throttled()
            raise
        self.gates.pacer.accepted()
        return batch_job_id

    def now(self) -> dt.datetime:
        """The database's time."""
        return self.persist(self.store.now)

    def pause(self, seconds: float) -> None:
        self.worker.stopping.wait(seconds)

    def log(self, what: str, marker: BatchJob) -> None:
        extra: dict[str, Any] = {**self.label, "batch_job_id": marker.batch_job_id}
        logger.info("[%s] Job %s in Batch (%s): %s", self.worker, self.job, marker.batch_job_id or "-", what, extra=extra)
