"""What a job asks of AWS Batch, checked when it is enqueued."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from jobs.conf.options import duration

GIB = 1024
#: vCPU to the memory, in MiB, that Fargate offers with it. Source: AWS Batch API, ResourceRequirement.
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

#: AWS Batch counts shorter time-outs as an error, in seconds.
SHORTEST_TIMEOUT = 60
MOST_ATTEMPTS = 10
MOST_TAGS = 50
RESERVED = ("AWS_BATCH", "JOB_ID", "JOB_EPOCH")


@dataclass(frozen=True)
class Resources:
    """`vcpu`, `memory` in MiB, `gpu`, `timeout` (seconds or a timedelta), and where and how the Batch job is submitted.

    What is left out is as the job definition says. Assign it to `batch` on a job class, or on an instance.
    Raises TypeError or ValueError, in one sentence, for what AWS Batch would refuse.
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
    #: Times the memory for the next attempt after one that ran out of it, e.g. 2.
    on_oom: float | None = None
    #: How often AWS may take the machine away at no cost to the job's attempts; the setting where it is None.
    infrastructure_retries: int | None = None
    #: How long it may wait to be started (seconds or a timedelta) before it is a failed attempt; the setting where it is None.
    start_within: timedelta | float | None = None

    def __post_init__(self) -> None:
        _number("vcpu", self.vcpu, above=0)
        _whole("memory", self.memory, least=4)
        _whole("gpu", self.gpu, least=0)
        _whole("attempts", self.attempts, least=1, most=MOST_ATTEMPTS)
        _number("on_oom", self.on_oom, above=1)
        if self.on_oom is not None and self.memory is None:
            raise ValueError("Resources(on_oom) raises the memory for the next attempt, so it takes a memory to begin with.")
        _whole("infrastructure_retries", self.infrastructure_retries, least=0)
        _duration("start_within", self.start_within, least=0)
        _whole("scheduling_priority", self.scheduling_priority, least=0, most=9999)
        _duration("timeout", self.timeout, least=SHORTEST_TIMEOUT)
        for name in self.environment:
            if name.startswith(RESERVED[0]) or name in RESERVED[1:]:
                raise ValueError(
                    f"Resources(environment): {name} is set by AWS Batch or by the hand-over, so it can't be chosen."
                )
        for label, strings in (("environment", self.environment), ("tags", self.tags)):
            if not all(isinstance(text, str) for pair in strings.items() for text in pair):
                raise TypeError(f"Resources({label}) takes strings for names and values.")
        if len(self.tags) > MOST_TAGS:
            raise ValueError(f"Resources(tags): AWS Batch takes {MOST_TAGS} tags, not {len(self.tags)}.")
        if self.share_identifier is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}\*?", self.share_identifier):
            raise ValueError(
                f"Resources(share_identifier={self.share_identifier!r}) takes up to 255 letters, digits, '.', '-', '_'."
            )

    def fitted(self, platform: str) -> Resources:
        """The same, as `platform` has it: on Fargate vCPU and memory rounded up to a pair that exists, never down.

        ValueError where there is no such pair, a GPU on Fargate, or part of a vCPU on EC2.
        """
        if platform != "FARGATE":
            if self.vcpu is not None and (self.vcpu < 1 or self.vcpu != int(self.vcpu)):
                raise ValueError(f"Resources(vcpu={self.vcpu:g}): on EC2 AWS Batch takes whole vCPUs, 1 or more.")
            return self
        if self.gpu:
            raise ValueError(
                f"Resources(gpu={self.gpu}): Fargate has no GPUs: use an EC2 queue and BATCHEXEC['PLATFORM'] = 'EC2'."
            )
        if self.vcpu is None and self.memory is None:
            return self
        vcpu, memory = fargate_pair(self.vcpu or 0, self.memory or 0)
        return Resources(**{**self.__dict__, "vcpu": vcpu, "memory": memory})

    def requirements(self) -> list[dict[str, str]]:
        """As SubmitJob takes them: strings, whole numbers without a decimal point."""
        wanted = {"VCPU": self.vcpu, "MEMORY": self.memory, "GPU": self.gpu or None}
        return [
            {"type": kind, "value": f"{value:g}" if kind == "VCPU" else str(value)} for kind, value in wanted.items() if value
        ]


def fargate_pair(vcpu: float, memory: int) -> tuple[float, int]:
    """The smallest pair on Fargate with at least so much of both; ValueError where there is none."""
    for offered, sizes in FARGATE.items():
        if offered >= vcpu:
            for size in sizes:
                if size >= memory:
                    return offered, size
    raise ValueError(
        f"Fargate has nothing with {vcpu:g} vCPU and {memory} MiB: the largest is 32 vCPU with {FARGATE[32][-1]} MiB."
    )


def resources_of(payload: Any) -> Resources:
    """The payload's `batch`: a Resources, or a mapping of its arguments, so that a job class needn't import this package.

    The definition's own sizes where it has none. TypeError or ValueError where it is something else.
    """
    found = getattr(payload, "batch", None)
    if found is None:
        return Resources()
    if isinstance(found, Mapping):
        return Resources(**found)
    if not isinstance(found, Resources):
        raise TypeError(f"{type(payload).__qualname__}.batch must be a batchexec.Resources, not {found!r}.")
    return found


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
        raise ValueError(f"Resources({label}={value!r}): AWS Batch takes no less than {least:g} seconds.")


def _whole(label: str, value: Any, *, least: int, most: int | None = None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Resources({label}={value!r}) takes a whole number.")
    if value < least or (most is not None and value > most):
        raise ValueError(f"Resources({label}={value!r}) must be {least} or more" + (f", {most} at most." if most else "."))
