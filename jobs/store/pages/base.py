"""What can be looked at, at a cost that doesn't grow with the table."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from jobs.store.reading import M
from jobs.store.row_writes import Conditions

#: Texts that may be long are cut to this many characters where rows are listed.
CUT = {"handler": 600, "last_error": 600}
#: Not read for a list at all.
LEFT_OUT = ("signature", "result")


@dataclass(frozen=True)
class Window:
    """The first `most` rows that an index gives.

    Other conditions and other orders are applied within them, so that nothing reads
    further.
    """

    where: Conditions
    order: Sequence[str]
    most: int


@dataclass
class Failures:
    """The failed jobs with one error: how many, since when, and how many an hour."""

    key: str
    count: int
    first: dt.datetime
    last: dt.datetime
    #: The key of one of the jobs.
    example: Any
    #: By whole hours since the beginning that was asked for.
    hours: dict[int, int] = field(default_factory=dict)

    def add(self, other: Failures) -> None:
        """Takes what was counted of the same error in another hour."""
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        self.example = max(self.example, other.example)
        self.hours.update(other.hours)


class Pages(ABC, Generic[M]):
    """Of one model; each method is one statement."""

    @abstractmethod
    def page(
        self,
        window: Window,
        where: Conditions,
        order: Sequence[str],
        limit: int,
        skip: int = 0,
    ) -> list[M]:
        """Rows of the window with their long texts cut: to be shown, not to be used."""

    @abstractmethod
    def count(self, window: Window, where: Conditions, limit: int) -> int:
        """How many rows of the window there are; no more than `limit` are counted."""

    def number(self, where: Conditions, most: int) -> int:
        """How many rows meet all of that; no more than `most` are counted."""
        return self.count(Window(where, (), most), {}, most)

    @abstractmethod
    def failures(self, since: dt.datetime) -> list[Failures]:
        """The failed jobs by their error; by the hour from `since` on."""


def merged(parts: Sequence[Failures]) -> list[Failures]:
    """One of each key, out of those of its hours."""
    found: dict[str, Failures] = {}
    for part in parts:
        if part.key in found:
            found[part.key].add(part)
        else:
            found[part.key] = part
    return list(found.values())
