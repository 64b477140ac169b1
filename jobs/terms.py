"""What a call says of the jobs that it enqueues, and jobs made of that."""

from __future__ import annotations

import datetime as dt
from functools import cached_property, lru_cache
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jobs import payloads
from jobs.blanks import alike, differ_in_fields
from jobs.conf import settings
from jobs.execution.invoke import invoke
from jobs.instants import FIRST, in_utc
from jobs.lifecycle import Lifecycle, instantiate
from jobs.logs import about_the_job
from jobs.models import MAX_NAME
from jobs.plain_rows import Plain, plain_rows
from jobs.signals import enqueueing, is_heard
from jobs.states import State
from jobs.store import store_for
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

MAX_TEXT_FIELD = 255
MAX_PRIORITY = 2**31 - 1
#: What is read of the settings, once for a call.
READ = ("PLUGINS", "DEFAULT_QUEUE_NAME", "DEFAULT_PRIORITY", "QUEUE_ATTRIBUTES", "DELAY_JOBS")
#: As a row has them, without Python's enum.
READY, SCHEDULED = str(State.READY.value), str(State.SCHEDULED.value)
#: Columns that the queue fills itself, with what they are in a job that is enqueued.
UNTOUCHED: dict[str, Any] = {
    "handler": "",
    "signature": "",
    "state": State.READY,
    "attempts": 0,
    "locked_at": None,
    "locked_by": "",
    "epoch": 0,
    "handed_over": False,
    "runner": "",
    "heartbeat_at": None,
    "started_at": None,
    "failed_at": None,
    "finished_at": None,
    "last_error": "",
    "error_key": "",
}
UNTOUCHED_VALUES = tuple(UNTOUCHED.values())
_untouched = itemgetter(*UNTOUCHED)
_options = itemgetter("queue", "priority", "unique_key", "name", "run_at")


class Terms:
    """What a call of `enqueue` or `enqueue_many` says of all its payloads: options,
    settings, and who has a say.
    """

    def __init__(
        self,
        model: type[AbstractJob],
        fields: dict[str, Any],
        run_at: dt.datetime | None,
        priority: int | None,
        queue: str | None,
        unique_key: str | None = None,
    ):
        if own := UNTOUCHED.keys() & fields.keys():
            raise TypeError(f"{', '.join(sorted(own))}: the queue fills that itself.")
        plugins, *defaults, self._delayed = settings.read(*READ)
        self._default_queue, self._default_priority, self._of_queues = defaults
        self.lifecycle = _lifecycle_of(tuple(plugins))
        self._model, self._fields = model, fields
        self._run_at, self._priority, self._queue = run_at, priority, queue
        self._unique_key = unique_key
        self._sign = payloads.signer()
        self.store = store_for(model)
        #: An instant before now.
        self._past = FIRST

    def job(self, payload: Any) -> AbstractJob:
        [job] = self.jobs([payload])
        return job

    def jobs(self, batch: list[Any]) -> list[AbstractJob]:
        """The payloads as new instances, with options that can be stored."""
        self._past = now = timezone.now()
        made = alike(self._model, self._fields, now)
        return [self._filled(job, payload, now) for payload, job in zip(batch, made, strict=False)]

    def _filled(self, job: AbstractJob, payload: Any, now: dt.datetime) -> AbstractJob:
        payloads.check(payload)
        own = job.__dict__
        queue = self._queue
        if queue is None:
            queue = getattr(payload, "queue_name", None)
        if queue is None:
            queue = self._default_queue
        priority = self._priority
        if priority is None:
            of_queue = self._of_queues.get(queue, {})
            priority = of_queue.get("priority", self._default_priority)
        key = self._unique_key
        job.queue, job.priority = queue, priority
        job.unique_key = payloads.unique_key(payload) if key is None else key
        job.name = payloads.display_name(payload)
        job.run_at = now if self._run_at is None else self._run_at
        own["being_enqueued"] = True
        own["payload"] = payload
        _check_options(job)
        return job

    def plainly(self, batch: list[Any]) -> Plain | None:
        """The payloads as rows that are as `jobs` and `waiting` make them; None if
        anything but the fields of a payload may matter, such as a hook, a receiver, a
        plugin or an error.
        """
        if not self._is_plain:
            return None
        first = {type(payload): payload for payload in reversed(batch)}
        writers = {cls: write for cls in first if (write := payloads.writer_of(cls))}
        if len(writers) < len(first):
            return None
        try:
            likes = dict(zip(first, self.waiting(self.jobs([*first.values()])), strict=True))
            return plain_rows(batch, likes, writers, self._sign, self.store.check_size)
        except Exception:
            return None  # `jobs` or `waiting` will say what is wrong

    @cached_property
    def _is_plain(self) -> bool:
        """Whether nobody has a say but the payloads themselves."""
        return (
            self._delayed is True
            and self.store.inserts_alike
            and not self.lifecycle.is_heard("enqueue")
            and not is_heard(enqueueing, self._model)
            and not differ_in_fields(self._model, self._fields)
        )

    def waiting(self, jobs: list[AbstractJob]) -> list[AbstractJob]:
        """The jobs that are to be stored; performs the others."""
        run = self.lifecycle.run
        return [job for job in jobs if run("enqueue", self.is_delayed, job)]

    def is_delayed(self, job: AbstractJob) -> bool:
        """Makes the row ready to be stored, and returns True.

        With DELAY_JOBS off, performs the job and returns False.
        """
        if not self.is_made_to_wait(job):
            self.perform(job)
            return False
        self.begin_to_wait([job])
        return True

    def is_made_to_wait(self, job: AbstractJob) -> bool:
        """Fills and signs the row; whether the job is to be stored, not performed."""
        # Before the row is made, because the hook may change run_at, queue or priority,
        # as in Delayed Job.
        payload = job.payload
        payloads.call_hook(payload, "enqueue", job)
        enqueueing.send(sender=self._model, job=job)
        payloads.vet(job)
        _check_again(job)
        job.handler = payloads.dump(job.payload, job._carried)
        job.signature = self._sign(job.handler)
        self.store.check_size(job)
        delayed = self._delayed
        return bool(payloads.call_with_accepted(delayed, job) if callable(delayed) else delayed)

    def perform(self, job: AbstractJob) -> None:
        """Performs a job that has no row."""
        with about_the_job(job):
            self.lifecycle.run("invoke_job", invoke, job)

    def begin_to_wait(self, jobs: list[AbstractJob]) -> None:
        """The last before the insert: what is due then is ready."""
        for job in jobs:
            is_due = job.run_at <= self._past or job.run_at <= timezone.now()
            job.state = READY if is_due else SCHEDULED
            job.being_enqueued = False


def _check_options(job: AbstractJob) -> None:
    """Raises TypeError or ValueError for a value that the row can't hold as it is
    meant.
    """
    job.queue = checked_text("queue", job.queue)
    job.priority = checked_priority(job.priority)
    job.unique_key = None if job.unique_key is None else checked_text("unique_key", job.unique_key)
    job.name = storable(str(job.name))[:MAX_NAME]
    job.run_at = in_utc("run_at", job.run_at)
    job.__dict__["checked"] = _options(job.__dict__)


def _check_again(job: AbstractJob) -> None:
    """What hooks, receivers and plugins may have set is checked like an argument."""
    own = job.__dict__
    if any(map(is_not, own["checked"], _options(own))):
        _check_options(job)
    del own["checked"]
    payloads.check(job.payload)
    if _untouched(own) != UNTOUCHED_VALUES:
        touched = [name for name, value in UNTOUCHED.items() if own[name] != value]
        raise TypeError(f"{', '.join(touched)}: the queue fills that of a job itself.")


@lru_cache(maxsize=8)
def _lifecycle_of(plugins: tuple[str, ...]) -> Lifecycle:
    return Lifecycle(instantiate(plugins))


def checked_priority(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"priority must be a whole number, not {value!r}.")
    if not -MAX_PRIORITY <= value <= MAX_PRIORITY:
        raise ValueError(
            f"priority must lie between -{MAX_PRIORITY} and {MAX_PRIORITY}, not be {value}."
        )
    return value


def checked_text(label: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{label} must be a string, not {value!r}.")
    if len(value) > MAX_TEXT_FIELD or storable(value) != value:
        raise ValueError(
            f"{label} must be at most {MAX_TEXT_FIELD} characters of valid text, without NUL."
        )
    return value
