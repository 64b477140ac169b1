"""What a job orders of AWS Batch, and where that goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

# Not functools': before Python 3.12, that has one lock for all orders.
from django.utils.functional import cached_property

from batchexec.aws.answers import configuration_error, is_about_credentials, is_throttling
from batchexec.aws.errors import (
    Denied,
    NotAccepted,
    NotConfigured,
    NotReached,
    Refused,
    Rejected,
    Throttled,
)
from batchexec.aws.placement import fitted, misfit, platform_of, share_missing
from batchexec.conf import settings
from batchexec.handover import fallback, retries
from batchexec.process.aside import TookTooLong
from batchexec.process.denials import Request
from batchexec.resources import Resources, resources_of
from jobs.exceptions import DeserializationError
from jobs.logs import get_logger
from jobs.logs.error_text import summary
from jobs.store import store_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchexec.aws.definitions import Definition
    from batchexec.aws.queues import Queue
    from batchexec.handover.slot import Slot
    from batchexec.models import BatchHistory, BatchJob

logger = get_logger(__name__)

T = TypeVar("T")

#: For how many seconds a job object may be loaded before its submission. Its container
#: loads it again, within the job's own time limit.
LOADING = 60.0
#: What IAM may tell one submission from another by. Source: Service Authorization
#: Reference, AWS Batch: resources and condition keys of SubmitJob, and TagResource.
#: Besides queue and definition.
DENIED_FOR = ("tags", "environment", "share_identifier")
#: Everything that is submitted.
REFUSED_FOR = (
    *DENIED_FOR,
    "vcpu",
    "memory",
    "gpu",
    "timeout",
    "attempts",
    "evaluate_on_exit",
    "scheduling_priority",
)


@dataclass(frozen=True)
class Placement:
    """A queue, a definition, and what the job gets there."""

    queue: Queue
    definition: Definition
    resources: Resources
    #: Whether queue and definition are the settings'.
    is_plain: bool


class Order:
    """The order of a slot's job. Methods may raise LetGo and Ended, as Slot's do."""

    def __init__(self, slot: Slot):
        self._slot = slot
        self._job = slot.job
        self._placed: Placement | None = None

    # What the job asks for

    @cached_property
    def asked(self) -> Resources:
        """What the job itself says.

        Raises Rejected if AWS Batch has nothing like it, DeserializationError if the
        job can't be loaded.
        """
        return self._slot.patiently(self._read)  # a payload may name rows of the database

    def _read(self) -> Resources:
        try:
            return self._slot.load(self._ask_payload, LOADING)
        except (TypeError, ValueError) as error:
            raise Rejected(str(error)) from error
        except DeserializationError:
            raise
        except TookTooLong as error:
            raise Rejected(f"It can't be loaded within {LOADING:g} seconds.") from error
        except BaseException as error:
            if store_for(type(self._job)).is_unavailable(error):
                raise  # waited for
            # Of the job's own code: a failed attempt.
            raise Rejected(f"It can't be loaded: {summary(error)}") from error

    def _ask_payload(self) -> Resources:
        return resources_of(self._job.payload)

    @cached_property
    def _history(self) -> BatchHistory | None:
        leaves_traces = self.asked.on_oom is not None or self.asked.queues
        return self._slot.persist(retries.find, self._job) if leaves_traces else None

    def is_to_blame(self, refusal: Refused) -> bool:
        """Whether a refusal may be for what only this job asks for."""
        if self._has_own_queue or self._has_own_definition:
            return True
        names = DENIED_FOR if isinstance(refusal, Denied) else REFUSED_FOR
        plain = Resources()
        return any(getattr(self.asked, name) != getattr(plain, name) for name in names)

    @property
    def request(self) -> Request:
        """What AWS may allow or deny it by."""
        return Request(
            self.queue_name if self._has_own_queue else None,
            self.definition_name if self._has_own_definition else None,
            frozenset(self.asked.tags.items()),
            self.asked.share_identifier,
        )

    # Where it goes

    @property
    def queue_name(self) -> str:
        return fallback.chosen(self.asked, self._history) or settings.JOB_QUEUE

    @property
    def definition_name(self) -> str:
        return self.asked.definition or settings.JOB_DEFINITION

    # A job that names the settings' asks for nothing that others don't.

    @property
    def _has_own_queue(self) -> bool:
        return bool(self.queue_name != settings.JOB_QUEUE)

    @property
    def _has_own_definition(self) -> bool:
        return bool(self.definition_name != settings.JOB_DEFINITION)

    def placed(self) -> Placement:
        """Where the job goes now, with the latest that AWS Batch says of it.

        Raises Rejected if that can't be and is the job's own choice, NotConfigured if
        it is the settings', NotAccepted if AWS Batch can't be asked.
        """
        queue = self._usable_queue()
        definition = self._look_up(self._slot.catalogue.definition, self.definition_name)
        self._check(queue, definition)
        is_plain = not (self._has_own_queue or self._has_own_definition)
        self._placed = Placement(queue, definition, self._fitted(queue, definition), is_plain)
        return self._placed

    def _usable_queue(self) -> Queue:
        """The first of the job's queues, from where it is now, that takes jobs; else
        the last.
        """
        while True:
            queue = self._look_up(self._slot.catalogue.queue, self.queue_name)
            if not queue.problem:
                return queue
            passed = (self._job, self.asked, self._history, queue.problem)
            history = self._slot.persist(fallback.passes_over, *passed)
            if history is None:
                return queue
            self._history = history

    def _check(self, queue: Queue, definition: Definition) -> None:
        own_queue, own_definition = self._has_own_queue, self._has_own_definition
        wrong = (
            (queue.problem, own_queue),
            (definition.problem, own_definition),
            (misfit(queue, definition), own_queue or own_definition),
            (share_missing(queue, self.asked), own_queue),
        )
        for problem, is_own_choice in wrong:
            if problem:
                raise Rejected(problem) if is_own_choice else NotConfigured(problem)

    def _fitted(self, queue: Queue, definition: Definition) -> Resources:
        platform = platform_of(queue, definition)
        asked = retries.adjusted(self.asked, self._history, definition.sizes, platform)
        try:
            found = fitted(asked, queue, definition)
        except (TypeError, ValueError) as error:
            raise Rejected(str(error)) from error
        merged = asked.sizes.over(definition.sizes)
        if self._placed is None and found.sizes not in (asked.sizes, merged):
            message = "%s has no %s vCPU with %s MiB: rounded up to %s with %s."
            sizes = (merged.vcpu, merged.memory, found.vcpu, found.memory)
            logger.info(message, platform, *sizes)
        return fallback.with_deadline(found, self._history)

    def _look_up(self, question: Callable[[str], T], name: str) -> T:
        try:
            return self._slot.look_up(question, name)
        except Exception as error:
            text = configuration_error(error)
            if is_throttling(error):
                raise Throttled(f"AWS Batch is throttling: {error}") from error
            if is_about_credentials(error):
                raise NotReached(text) from error
            if text:
                raise NotConfigured(text) from error
            raise NotAccepted(f"AWS Batch can't be asked: {error}") from error

    # Afterwards

    def wishes(self, marker: BatchJob | None) -> Resources:
        """What the job's execution got, and what is to become of it afterwards.

        If AWS Batch can't be asked where it went, what the job itself says; nothing if
        it can't be read. Never raises.
        """
        try:
            if self._placed is not None:
                return self._placed.resources
            if marker is None:
                return self.asked
            queue = self._look_up(self._slot.catalogue.queue, marker.job_queue)
            definition = self._look_up(self._slot.catalogue.definition, marker.job_definition)
            return self._fitted(queue, definition)
        except BaseException:
            return self._own_wishes()

    def _own_wishes(self) -> Resources:
        try:
            return self.asked
        except BaseException:
            return Resources()
