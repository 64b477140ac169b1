"""What rows need whose values are of the same types, worked out once for them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Combinations of types that are remembered: a table has one for each state of a job.
MOST_KEPT = 64


class ByKinds(Generic[T]):
    def __init__(self, work_out: Callable[[tuple[type, ...]], T]):
        self._work_out = work_out
        self._known: dict[tuple[type, ...], T] = {}

    def of(self, values: Sequence[Any]) -> T:
        kinds = tuple(map(type, values))
        found = self._known.get(kinds)
        if found is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            found = self._known[kinds] = self._work_out(kinds)
        return found
