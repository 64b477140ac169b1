"""What was measured, and how two of it compare."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.databases import NAMES


class Figures:
    def __init__(self, records: list[dict[str, Any]]):
        self._records = records

    def of(self, suite: str, name: str, **of: Any) -> list[Any]:
        """The values of one figure, in the order of the rounds."""
        wanted = {"suite": suite, **of}
        return [
            record["figures"][name]
            for record in self._records
            if all(record.get(key) == value for key, value in wanted.items())
            and name in record["figures"]
        ]

    def one(self, suite: str, database: str) -> dict[str, Any]:
        """The last record of a suite that has one for each database."""
        found = [
            record["figures"]
            for record in self._records
            if record["suite"] == suite and record["database"] == database
        ]
        return found[-1] if found else {}

    def values(self, suite: str, key: str, **of: Any) -> list[Any]:
        seen = [
            record[key]
            for record in self._records
            if record["suite"] == suite and of.items() <= record.items()
        ]
        return list(dict.fromkeys(seen))

    def databases(self, suite: str) -> list[str]:
        """Those that the suite measured, in their usual order."""
        found = self.values(suite, "database")
        return [name for name in NAMES if name in found]


def ratio(values: list[float], others: list[float]) -> float:
    """The median of the rounds' ratios: a slow minute is in both of a round."""
    return (
        median(mine / other for mine, other in zip(values, others, strict=False))
        if others
        else float("nan")
    )
