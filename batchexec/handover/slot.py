"""A slot: a worker's place for one job, as every step of the hand-over sees it.

It has the job's record as it is now, patience with the database and with AWS Batch, and
the moments to let go.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from batchexec import markers
from batchexec.aws.answers import configuration_error, is_throttling
from batchexec.aws.errors import Throttled
from batchexec.process.aside import aside
from jobs.execution import offers, outcomes
from jobs.logs import get_logger, learn
from jobs.states import State
from jobs.store import store_for
from jobs.store.patience import Backoff, until_available

if TYPE_CHECKING:
    from batchexec.aws.catalogue import Catalogue
    from batchexec.aws.client import BatchClient
    from batchexec.models import BatchJob
    from batchexec.process.gates import Gates
    from jobs.models import AbstractJob

logger = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: The pause before AWS Batch is asked again: the first, and the longest, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: How long a slot waits for the entrance before it looks whether it is still to go on,
#: in seconds.
LONGEST_WAIT = 1.0


class LetGo(Exception):
    """The worker stops, or no longer holds the job: another worker is to watch it."""


class Ended(Exception):
    """The execution is over, as the job's own record says.

    `row` is that record, None if it is gone.
    """

    def __init__(self, row: AbstractJob | None):
        super().__init__()
        self.row = row


class Watcher(Protocol):
    """What a slot needs of its worker."""

    #: Set when the worker is told to stop.
    stopping: threading.Event
    recorder: outcomes.Recorder

    def still_holds(self, job: AbstractJob) -> bool: ...


class Slot:
    """The place of `watcher` for `job`."""

    def __init__(
        self,
        watcher: Watcher,
        job: AbstractJob,
        client: BatchClient,
        catalogue: Catalogue,
        gates: Gates,
    ):
        self.job = job
        self.client = client
        self.catalogue = catalogue
        #: What keeps the jobs of this process from being submitted.
        self.standstill = gates.standstill
        self.denials = gates.denials
        self.watcher = watcher
        self._gates = gates
        self._store = store_for(type(job))

    # The job's record

    def read(self) -> AbstractJob | None:
        """The job's row as it is now; None if it is gone."""
        return self.persist(self._store.get, self.job.pk)

    def row(self) -> AbstractJob:
        """The job's row as it is now, while this slot is to watch it.

        Raises Ended if this execution is over, LetGo if it is another's to watch.
        """
        row = self.read()
        if row is None or row.epoch != self.job.epoch:
            raise Ended(row)
        if row.locked_by != self.job.locked_by or row.state != State.RUNNING:
            raise LetGo
        return row

    def marker(self) -> BatchJob | None:
        """The marker of this epoch; a marker of another epoch is never adopted."""
        marker = self.persist(markers.find, self.job)
        return marker if marker is not None and marker.epoch == self.job.epoch else None

    def check_in(self) -> None:
        """Call it before each step: raises LetGo or Ended if you are not to go on."""
        if self.watcher.stopping.is_set():
            raise LetGo
        if not self.watcher.still_holds(self.job):
            self.row()
            raise LetGo

    # The database

    def persist(self, step: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Calls a step on the database, again and again while that can't be reached.

        Meanwhile the job goes on in AWS Batch. Raises the database's error after
        `offers.PATIENCE`.
        """
        call = partial(step, *arguments, **keywords)
        return self.on_database(self.patiently, call)

    def load(self, question: Callable[[], T], seconds: float) -> T:
        """Asks the job object, whose code may do anything: in a thread apart.

        So it holds up neither the database work of other slots, nor for long their own
        loading. Raises what it raises, also if the database can't be reached, or
        TookTooLong after `seconds`.
        """
        return aside(question, seconds, self._gates.loading)

    def patiently(self, call: Callable[[], T]) -> T:
        """As `persist`, for what has threads of its own."""
        never = threading.Event()
        result = until_available(self._store, call, never, give_up_after=offers.PATIENCE)
        return cast(T, result)  # None only after `never` was set

    def on_database(self, step: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Calls a step that has its own patience with the database."""
        return self._gates.database.do(step, *arguments, **keywords)

    def now(self) -> dt.datetime:
        """The database's time."""
        return self.persist(self._store.now)

    # AWS Batch

    @contextmanager
    def entrance(self) -> Iterator[None]:
        """One of the few slots that submit at once, in its turn.

        Without it, the start of a thousand slots would be a storm. Don't wait in it for
        anything but AWS Batch's answer: others need the place.
        """
        while not self._gates.entrance.acquire(timeout=LONGEST_WAIT):
            self.check_in()
        try:
            self.take_turn()
            yield
        finally:
            self._gates.entrance.release()

    def take_turn(self) -> None:
        """Waits until the process's pace allows another call."""
        self.pause(self._gates.pacer.turn())
        self.check_in()

    def submit(self, request: dict[str, Any]) -> str:
        """As BatchClient.submit; AWS Batch's answer sets the pace of all the slots."""
        try:
            batch_job_id = self._gates.batch.do(self.client.submit, request)
        except Throttled:
            self._gates.pacer.throttled()
            raise
        self._gates.pacer.accepted()
        return batch_job_id

    def look_up(self, question: Callable[[str], T], name: str) -> T:
        """Asks the catalogue once. Raises what boto3 raises."""
        return self._gates.batch.do(question, name)

    def ask_batch(self, question: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Makes a call that starts nothing, again and again until AWS Batch answers.

        Raises LetGo or Ended if the slot is not to go on.
        """
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            self.check_in()
            try:
                return self._gates.batch.do(question, *arguments, **keywords)
            except Exception as error:
                if is_throttling(error):
                    self._gates.pacer.throttled()
                text = configuration_error(error) or str(error)
                self.standstill.say("questions", f"AWS Batch can't be asked: {text}")
            self.pause(backoff.next())

    def pause(self, seconds: float) -> bool:
        """Waits; returns True, and at once, if the worker is told to stop."""
        return self.watcher.stopping.wait(seconds)

    def log(self, what: str, marker: BatchJob) -> None:
        """Logs a step of the job's way through AWS Batch."""
        learn(batch_job_id=marker.batch_job_id)
        batch_job_id = marker.batch_job_id or "-"
        message = "[%s] Job %s in Batch (%s): %s"
        logger.info(message, self.watcher, self.job, batch_job_id, what)
