"""What a job asks of AWS Batch, checked when you enqueue it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from batchexec.conf import settings
from jobs.conf.options import duration

GIB = 1024
#: The memory, in MiB, that Fargate offers with each number of vCPUs. Source: AWS Batch
#: API, ResourceRequirement.
FARGATE: dict[float, tuple[int, ...]] = {
    0.25: (512, 1 * GIB, 2 * GIB),
    0.5: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
    1: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    32: (60 * GIB, 120 * GIB, 244 * GIB),
}

#: The shortest time-out that AWS Batch takes, in seconds.
SHORTEST_TIMEOUT = 60
MOST_ATTEMPTS = 10
MOST_TAGS = 50
#: Variables that AWS Batch sets begin so.
RESERVED_PREFIX = "AWS_BATCH"
#: Variables that the hand-over sets.
RESERVED = ("JOB_ID", "JOB_EPOCH")


@dataclass(frozen=True)
class Resources:
    """The sizes, limits and place of a job on AWS Batch.

    Assign it to `batch` of a job class, or of an instance. What you leave out is the
    job definition's. `memory` is in MiB; `timeout` and `start_within` are seconds or
    timedeltas. Raises TypeError or ValueError, in one sentence, for what AWS Batch
    would refuse.
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

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_limits()
        self._check_texts()

    def _check_sizes(self) -> None:
        _number("vcpu", self.vcpu, above=0)
        _whole("memory", self.memory, least=4)
        _whole("gpu", self.gpu, least=0)
        _number("on_oom", self.on_oom, above=1)
        if self.on_oom is not None and self.memory is None:
            raise ValueError(
                "Resources(on_oom) raises the memory for the next attempt, so give it a memory too."
            )

    def _check_limits(self) -> None:
        _whole("attempts", self.attempts, least=1, most=MOST_ATTEMPTS)
        _whole("infrastructure_retries", self.infrastructure_retries, least=0)
        _duration("start_within", self.start_within, least=0)
        _whole("scheduling_priority", self.scheduling_priority, least=0, most=9999)
        _duration("timeout", self.timeout, least=SHORTEST_TIMEOUT)

    def _check_texts(self) -> None:
        for name in self.environment:
            if name.startswith(RESERVED_PREFIX) or name in RESERVED:
                raise ValueError(
                    f"Resources(environment): {name} is set by AWS Batch or by the hand-over, "
                    "so you can't choose it."
                )
        for label, strings in (("environment", self.environment), ("tags", self.tags)):
            if not all(isinstance(text, str) for pair in strings.items() for text in pair):
                raise TypeError(f"Resources({label}) takes strings for names and values.")
        if len(self.tags) > MOST_TAGS:
            raise ValueError(
                f"Resources(tags): AWS Batch takes {MOST_TAGS} tags, not {len(self.tags)}."
            )
        share = self.share_identifier
        if share is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}\*?", share):
            raise ValueError(
                f"Resources(share_identifier={share!r}) "
                "takes up to 255 letters, digits, '.', '-', '_'."
            )

    def fitted(self, platform: str) -> Resources:
        """The same as `platform` has it.

        On Fargate, vCPU and memory are rounded up to a pair that exists, never down.
        Raises ValueError if there is none, for a GPU on Fargate, and for a part of a
        vCPU on EC2.
        """
        if platform != "FARGATE":
            if self.vcpu is not None and (self.vcpu < 1 or self.vcpu != int(self.vcpu)):
                raise ValueError(
                    f"Resources(vcpu={self.vcpu:g}): on EC2 AWS Batch takes whole vCPUs, 1 or more."
                )
            return self
        if self.gpu:
            raise ValueError(
                f"Resources(gpu={self.gpu}): Fargate has no GPUs; "
                "use an EC2 queue and BATCHEXEC['PLATFORM'] = 'EC2'."
            )
        if self.vcpu is None and self.memory is None:
            return self
        vcpu, memory = fargate_pair(self.vcpu or 0, self.memory or 0)
        return dataclasses.replace(self, vcpu=vcpu, memory=memory)

    def requirements(self) -> list[dict[str, str]]:
        """The sizes as SubmitJob takes them: strings, whole numbers without a point."""
        sizes = {
            "VCPU": f"{self.vcpu:g}" if self.vcpu else "",
            "MEMORY": str(self.memory or ""),
            "GPU": str(self.gpu or ""),
        }
        return [{"type": kind, "value": size} for kind, size in sizes.items() if size]


def fargate_pair(vcpu: float, memory: int) -> tuple[float, int]:
    """The smallest pair on Fargate with at least this much of both.

    `memory` is in MiB. Raises ValueError if there is none.
    """
    for offered, sizes in FARGATE.items():
        if offered >= vcpu:
            for size in sizes:
                if size >= memory:
                    return offered, size
    raise ValueError(
        f"Fargate has nothing with {vcpu:g} vCPU and {memory} MiB: "
        f"the largest is 32 vCPU with {FARGATE[32][-1]} MiB."
    )


def resources_of(payload: Any) -> Resources:
    """The payload's `batch`, or the definition's own sizes if it has none.

    A plain mapping works too, so a job class does not have to import `batchexec`.
    Raises TypeError or ValueError if it is something else.
    """
    found = getattr(payload, "batch", None)
    if found is None:
        return Resources()
    if isinstance(found, Mapping):
        return Resources(**found)
    if not isinstance(found, Resources):
        label = f"{type(payload).__qualname__}.batch"
        raise TypeError(f"{label} must be a batchexec.Resources, not {found!r}.")
    return found


def check_resources(sender: Any, job: Any, **kwargs: Any) -> None:
    """Refuses a job with impossible sizes when it is enqueued, not in a worker."""
    resources_of(job.payload).fitted(settings.PLATFORM)


def _number(label: str, value: Any, *, above: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Resources({label}={value!r}) takes a number.")
    if not above < value < float("inf"):
        raise ValueError(f"Resources({label}={value!r}) must be more than {above:g}.")


def _duration(label: str, value: Any, *, least: float) -> None:
    if value is None:
        return
    try:
        seconds = duration(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Resources({label}={value!r}) takes {error}.") from None
    if seconds < least:
        raise ValueError(
            f"Resources({label}={value!r}): AWS Batch takes no less than {least:g} seconds."
        )


def _whole(label: str, value: Any, *, least: int, most: int | None = None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Resources({label}={value!r}) takes a whole number.")
    if value < least or (most is not None and value > most):
        at_most = f", {most} at most" if most else ""
        raise ValueError(f"Resources({label}={value!r}) must be {least} or more{at_most}.")
