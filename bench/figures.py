"""Looks up measured figures and compares two series of them."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.databases import TITLES


class Figures:
    """The records of a benchmark run, by suite, database, subject and so on."""

    def __init__(self, records: list[dict[str, Any]]):
        self._records = records

    def of(self, suite: str, name: str, **of: Any) -> list[Any]:
        """The values of one figure, in the order of the rounds."""
        found = (record["figures"] for record in self._matching(suite, of))
        return [figures[name] for figures in found if name in figures]

    def one(self, suite: str, database: str) -> dict[str, Any]:
        """The last record of a suite that has one for each database."""
        found = [record["figures"] for record in self._matching(suite, {"database": database})]
        return found[-1] if found else {}

    def values(self, suite: str, key: str, **of: Any) -> list[Any]:
        """The different values of `key`, in the order of their first record."""
        return list(dict.fromkeys(record[key] for record in self._matching(suite, of)))

    def databases(self, suite: str) -> list[str]:
        """The databases that the suite measured, in their usual order."""
        found = self.values(suite, "database")
        return [name for name in TITLES if name in found]

    def by_subject(self, suite: str, database: str) -> dict[str, list[float]]:
        """The rates of each subject, in the order of their first record."""
        subjects = self.values(suite, "subject", database=database)
        return {
            subject: self.of(suite, "per_second", database=database, subject=subject)
            for subject in subjects
        }

    def all_databases(self) -> list[str]:
        """The databases of any suite, in their usual order."""
        found = {record["database"] for record in self._records}
        return [name for name in TITLES if name in found]

    def _matching(self, suite: str, of: dict[str, Any]) -> Iterator[dict[str, Any]]:
        wanted = {"suite": suite, **of}
        return (record for record in self._records if wanted.items() <= record.items())


def ratio(values: list[float], others: list[float]) -> float:
    """The median of the rounds' ratios, or NaN without `others`.

    It compares within a round, so that a slow minute of the machine slows both.
    """
    if not others:
        return float("nan")
    return median(mine / other for mine, other in zip(values, others, strict=False))
