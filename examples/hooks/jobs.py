"""A job that needs three attempts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import jobs


@dataclass
class FetchRates(jobs.Performable):
    """Fails twice, as if another service were down, and then succeeds."""

    source: str

    max_attempts = 5

    def before(self, job: Any) -> None:
        self.attempt = job.attempts + 1  # `attempts` counts the failed ones

    def perform(self) -> None:
        if self.attempt < 3:
            raise ConnectionError(f"{self.source} does not answer")
        print(f"Attempt {self.attempt}: got the rates of {self.source}")

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        """Half a second after the first failure, one second after the second."""
        return now + dt.timedelta(seconds=0.5 * attempts)

    def error(self, job: Any, exception: BaseException) -> None:
        print(f"Attempt {self.attempt}: {exception}")

    def success(self) -> None:  # a hook that declares no parameter gets none
        print("No one has to be told")

    def failure(self, job: Any) -> None:
        print(f"Gave up after attempt {job.attempts}: please look at job {job.pk}")
