"""What a claim needs to know of a worker."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Paused(NamedTuple):
    """Queues, and names of jobs, of which no job is begun."""

    queues: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


class Reserver(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def queues(self) -> tuple[str, ...]: ...
    @property
    def min_priority(self) -> int | None: ...
    @property
    def max_priority(self) -> int | None: ...
    @property
    def hands_over(self) -> bool: ...
    @property
    def paused(self) -> Paused: ...


def begins_none(worker: Reserver) -> bool:
    """Whether all the queues that the worker takes jobs from are paused."""
    return bool(worker.queues) and worker.paused.queues.issuperset(worker.queues)


def of_queues(state: str, worker: Reserver) -> dict[str, Any]:
    """The conditions on queue and name for `worker` to claim a job in that state.

    A detached job is being executed, so it goes on whatever is paused.
    """
    paused = Paused() if state == "detached" else worker.paused
    wanted: dict[str, Any] = {}
    if worker.queues:
        wanted["queue__in"] = tuple(one for one in worker.queues if one not in paused.queues)
    elif paused.queues:
        wanted["queue__nin"] = tuple(sorted(paused.queues))
    if paused.names:
        wanted["name__nin"] = tuple(sorted(paused.names))
    return wanted
