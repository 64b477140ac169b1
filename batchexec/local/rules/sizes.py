"""CPUs, memory and GPUs of a container, after overriding.

Source: ResourceRequirement in the API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchexec.local.errors import refuse

MIN_MEMORY = 4
#: The MiB that go with a number of vCPUs on Fargate.
FARGATE: dict[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4097, 1024),
    1: range(2048, 8193, 1024),
    2: range(4096, 16385, 1024),
    4: range(8192, 30721, 1024),
    8: range(16384, 61441, 4096),
    16: range(32768, 122881, 8192),
    32: (61440, 122880, 249856),
}


def sizes(container: Mapping[str, object], requirements: Mapping[str, str]) -> dict[str, float]:
    """VCPU, MEMORY and GPU as numbers, as far as they are given.

    A container of the old kind has `vcpus` and `memory` in place of requirements.
    """
    found = {kind: _number(kind, value) for kind, value in requirements.items()}
    for kind, old in (("VCPU", "vcpus"), ("MEMORY", "memory")):
        value = container.get(old)
        if kind not in found and isinstance(value, int):
            found[kind] = value
    return found


def check_sizes(found: Mapping[str, float], *, fargate: bool) -> None:
    """Raises ApiError if no container can have these sizes."""
    for kind in ("VCPU", "MEMORY"):
        if kind not in found:
            raise refuse(f"resourceRequirements must contain {kind}.")
    cpus, memory = found["VCPU"], found["MEMORY"]
    if fargate:
        if "GPU" in found:
            raise refuse("GPU isn't available for jobs that run on Fargate resources.")
        if memory not in FARGATE.get(cpus, ()):
            pair = f"({cpus:.2f} vCPU, {memory:g} MiB)"
            raise refuse(f"Fargate resource requirements {pair} not valid.")
        return
    if cpus < 1 or cpus % 1:
        raise refuse(f"VCPU must be a whole number of at least 1 on EC2, not {cpus:g}.")
    if memory < MIN_MEMORY or memory % 1:
        raise refuse(f"MEMORY must be at least {MIN_MEMORY} MiB, not {memory:g}.")
    if "GPU" in found and (found["GPU"] < 1 or found["GPU"] % 1):
        raise refuse(f"GPU must be a whole number of at least 1, not {found['GPU']:g}.")


def _number(kind: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 < number < float("inf"):
        raise refuse(f"The value of {kind} must be a positive number, not {value!r}.")
    return number
