"""A report that is pointless to make twice."""

from __future__ import annotations

from dataclasses import dataclass

import jobs


@dataclass
class MakeReport(jobs.Performable):
    day: str

    @property
    def unique_key(self) -> str:
        """The queue holds at most one unfinished job with this key."""
        return f"report-{self.day}"

    def perform(self) -> None:
        print(f"Report of {self.day}")
