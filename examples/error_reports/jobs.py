"""A job that always fails."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import jobs


@dataclass
class Charge(jobs.Performable):
    order: str

    max_attempts = 2

    def perform(self) -> None:
        raise ConnectionError(f"the bank does not answer for {self.order}")

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now
