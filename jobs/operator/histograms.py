"""How long something took, of many: counted in the classes of `jobs.records.BOUNDS`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.records import BOUNDS


@dataclass(frozen=True)
class Histogram:
    """`counts` has a number for each of BOUNDS, and one for what lasted longer."""

    counts: Sequence[int]
    #: Of all together.
    seconds: float

    @classmethod
    def of(cls, parts: Sequence[Histogram]) -> Histogram:
        """All of them together."""
        counts = [sum(each) for each in zip(*(part.counts for part in parts), strict=True)]
        none = [0] * (len(BOUNDS) + 1)
        return cls(counts or none, sum(part.seconds for part in parts))

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        return self.seconds / self.count if self.count else None

    def quantile(self, part: float) -> float | None:
        """Seconds that `part` of them (0.5, 0.95) took at most; None if there are none.

        Even within a class, so it is as exact as the classes are narrow. What lasted
        longer than the last bound counts as that.
        """
        wanted = part * self.count
        seen, lower = 0, 0.0
        if not self.count:
            return None
        for number, upper in zip(self.counts, BOUNDS, strict=False):
            if number and seen + number >= wanted:
                return lower + (upper - lower) * max(wanted - seen, 0) / number
            seen, lower = seen + number, upper
        return lower

    def cumulated(self) -> list[tuple[float, int]]:
        """(Upper bound, how many took no longer), as Prometheus wants them, without the
        last one, which is infinite and has all.
        """
        seen, found = 0, []
        for number, upper in zip(self.counts, BOUNDS, strict=False):
            seen += number
            found.append((upper, seen))
        return found
