"""What a job asks of AWS Batch, checked when you enqueue it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from batchexec import limits
from batchexec.conf import settings
from batchexec.sizes import NOTHING, Sizes

#: The shortest time-out that AWS Batch takes, in seconds.
SHORTEST_TIMEOUT = 60
MOST_ATTEMPTS = 10
#: The least memory that AWS Batch takes, in MiB.
LEAST_MEMORY = 4


@dataclass(frozen=True)
class Resources:
    """The sizes, limits and place of a job on AWS Batch.

    Assign it to `batch` of a job class, or of an instance. What you leave out is the
    job definition's. `memory` and `max_memory` are in MiB; `timeout` and `start_within`
    are seconds or timedeltas. Raises TypeError or ValueError, in one sentence, for what
    AWS Batch would refuse.
    """

    vcpu: float | None = None
    memory: int | None = None
    gpu: int = 0
    timeout: timedelta | float | None = None
    queue: str | None = None
    definition: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 1
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    #: The factor for the memory of the attempt after one that ran out of it, e.g. 2.
    on_oom: float | None = None
    #: How often AWS may take the machine away before that costs an attempt; None means
    #: as the setting says.
    infrastructure_retries: int | None = None
    #: How long it may wait for its start before that is a failed attempt; None means as
    #: the setting says.
    start_within: timedelta | float | None = None
    #: In place of `queue`: the first, and those to go on with if the hosts of one are
    #: lost again and again, or it has no capacity for too long.
    queues: Sequence[str] = ()
    #: AWS's `evaluateOnExit`, in place of our rules for AWS Batch's own retries.
    evaluate_on_exit: Sequence[Mapping[str, str]] = ()
    #: The most memory that `on_oom` may lead to.
    max_memory: int | None = None

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_limits()
        self._check_place()
        limits.environment(self.environment)
        limits.tags(self.tags)
        limits.retry_rules(self.evaluate_on_exit)
        if self.evaluate_on_exit and self.attempts < 2:
            raise ValueError(
                "Resources(evaluate_on_exit) says what AWS Batch starts again, and with "
                "attempts=1 it starts nothing again: give it attempts of 2 or more."
            )

    def _check_sizes(self) -> None:
        limits.number("vcpu", self.vcpu, above=0)
        limits.whole("memory", self.memory, least=LEAST_MEMORY)
        limits.whole("gpu", self.gpu, least=0)
        limits.number("on_oom", self.on_oom, above=1)
        limits.whole("max_memory", self.max_memory, least=self.memory or LEAST_MEMORY)
        if self.max_memory is not None and self.on_oom is None:
            raise ValueError(
                f"Resources(max_memory={self.max_memory}) limits what on_oom raises, "
                "so give it an on_oom too."
            )

    def _check_limits(self) -> None:
        limits.whole("attempts", self.attempts, least=1, most=MOST_ATTEMPTS)
        limits.whole("infrastructure_retries", self.infrastructure_retries, least=0)
        limits.seconds("start_within", self.start_within, least=0)
        limits.whole("scheduling_priority", self.scheduling_priority, least=0, most=9999)
        limits.seconds("timeout", self.timeout, least=SHORTEST_TIMEOUT)

    def _check_place(self) -> None:
        limits.name("queue", self.queue)
        limits.name("definition", self.definition)
        limits.names("queues", self.queues)
        limits.share_identifier(self.share_identifier)
        if self.queue and self.queues:
            raise ValueError("Resources(queues) stands in place of queue: give only one of them.")

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.vcpu, self.memory, self.gpu)

    def fitted(self, platform: str, defined: Sizes = NOTHING) -> Resources:
        """The same as `platform` has it, beside the definition's sizes: see `Sizes`.

        Raises ValueError, in one sentence, if it has nothing like it.
        """
        sizes = self.sizes.fitted(platform, defined)
        return dataclasses.replace(self, vcpu=sizes.vcpu, memory=sizes.memory, gpu=sizes.gpu)


def resources_of(payload: Any) -> Resources:
    """The payload's `batch`, or the definition's own sizes if it has none.

    A plain mapping works too, so a job class does not have to import `batchexec`.
    Raises TypeError or ValueError if it is something else.
    """
    found = getattr(payload, "batch", None)
    if found is None:
        return Resources()
    label = f"{type(payload).__qualname__}.batch"
    if isinstance(found, Mapping):
        known = [field.name for field in dataclasses.fields(Resources)]
        if unknown := [key for key in found if key not in known]:
            raise TypeError(f"{label} has {unknown[0]!r}, but takes only: {', '.join(known)}.")
        return Resources(**found)
    if not isinstance(found, Resources):
        raise TypeError(f"{label} must be a batchexec.Resources, not {found!r}.")
    return found


def check_resources(job: Any) -> None:
    """Refuses a job with impossible sizes when it is enqueued, not in a worker."""
    command = (*settings.COMMAND, str(job.pk))
    if getattr(job.payload, "batch", None) is None:
        _check_command(command)
        return
    asked = resources_of(job.payload)
    _check_length(command, asked.environment)
    if not (asked.queue or asked.queues or asked.definition):
        # What another queue or definition has, only the worker can ask AWS.
        asked.fitted(settings.PLATFORM)


@lru_cache(maxsize=16)
def _check_command(command: tuple[str, ...]) -> None:
    """Of jobs that ask for nothing else, so once for many of them."""
    _check_length(command, {})


def _check_length(command: tuple[str, ...], environment: Mapping[str, str]) -> None:
    known = {"command": [*command], "environment": limits.as_pairs(environment)}
    limits.overrides("Resources(environment)", known, limits.ADDED_OVERRIDES)
