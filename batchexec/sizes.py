"""vCPUs, memory and GPUs: what is asked for, and what a platform has."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Where AWS Batch runs containers.
FARGATE, EC2, EKS = "FARGATE", "EC2", "EKS"

GIB = 1024
#: The memory, in MiB, that Fargate offers with each number of vCPUs. Source: AWS Batch
#: API, ResourceRequirement.
FARGATE_SIZES: dict[float, tuple[int, ...]] = {
    0.25: (512, 1 * GIB, 2 * GIB),
    0.5: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
    1: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    32: (60 * GIB, 120 * GIB, 244 * GIB),
}
#: On EKS, vCPUs are multiples of this. Source: AWS Batch API,
#: EksContainerResourceRequirements.
EKS_STEP = 0.25


@dataclass(frozen=True)
class Sizes:
    """vCPUs, memory in MiB, and GPUs. None and 0 mean that nothing is said."""

    vcpu: float | None = None
    memory: int | None = None
    gpu: int = 0

    def over(self, other: Sizes) -> Sizes:
        """These, and from `other` what these leave out."""
        return Sizes(self.vcpu or other.vcpu, self.memory or other.memory, self.gpu or other.gpu)

    def requirements(self) -> list[dict[str, str]]:
        """The sizes as SubmitJob takes them: strings, whole numbers without a point."""
        texts = {
            "VCPU": f"{self.vcpu:g}" if self.vcpu else "",
            "MEMORY": str(self.memory or ""),
            "GPU": str(self.gpu or ""),
        }
        return [{"type": kind, "value": text} for kind, text in texts.items() if text]

    def fitted(self, platform: str, defined: Sizes) -> Sizes:
        """What to submit, so that `platform` has it together with the definition's.

        On Fargate, what these leave out is the definition's, and the pair is rounded up
        to one that exists, never down. Raises ValueError if there is none, for a GPU on
        Fargate, and for a part of a vCPU where there are only whole ones.
        """
        if platform == FARGATE:
            return self._on_fargate(defined)
        if platform == EKS:
            return self._on_eks(defined)
        if self.vcpu is not None and (self.vcpu < 1 or self.vcpu != int(self.vcpu)):
            raise ValueError(
                f"Resources(vcpu={self.vcpu:g}): on EC2 AWS Batch takes whole vCPUs, 1 or more."
            )
        return self

    def _on_fargate(self, defined: Sizes) -> Sizes:
        if self.gpu:
            raise ValueError(
                f"Resources(gpu={self.gpu}): Fargate has no GPUs; use an EC2 queue, "
                "by Resources(queue=…) or BATCHEXEC['PLATFORM'] = 'EC2'."
            )
        if self.vcpu is None and self.memory is None:
            return self
        merged = self.over(defined)
        return Sizes(*fargate_pair(merged.vcpu or 0, merged.memory or 0))

    def _on_eks(self, defined: Sizes) -> Sizes:
        if self == NOTHING:
            return self
        # A container's resources are overridden as a whole.
        merged = self.over(defined)
        if merged.vcpu is None:
            return merged
        return Sizes(math.ceil(merged.vcpu / EKS_STEP) * EKS_STEP, merged.memory, merged.gpu)


#: No sizes: the definition's count.
NOTHING = Sizes()


def largest_on_fargate(vcpu: float, most: int | None) -> int:
    """The largest memory, in MiB, up to `most`, that goes with that many vCPUs or more.

    0 if there is none.
    """
    return max(
        (
            size
            for offered, sizes in FARGATE_SIZES.items()
            for size in sizes
            if offered >= vcpu and (most is None or size <= most)
        ),
        default=0,
    )


def fargate_pair(vcpu: float, memory: int) -> tuple[float, int]:
    """The smallest pair on Fargate with at least this much of both.

    `memory` is in MiB. Raises ValueError if there is none.
    """
    for offered, sizes in FARGATE_SIZES.items():
        if offered >= vcpu:
            for size in sizes:
                if size >= memory:
                    return offered, size
    raise ValueError(
        f"Fargate has nothing with {vcpu:g} vCPU and {memory} MiB: "
        f"the largest is 32 vCPU with {max(FARGATE_SIZES[32])} MiB."
    )
