from __future__ import annotations

import os
import time
from dataclasses import dataclass

import jobs


@dataclass
class SoakJob(jobs.Performable):
    """Writes down that it began and that it ended, with its epoch and its process."""

    number: int
    seconds: float

    def perform(self) -> None:
        self._note("began")
        time.sleep(self.seconds)
        self._note("ended")

    def _note(self, what: str) -> None:
        with open(os.environ["SOAK_LOG"], "a") as log:
            # One short write: whole lines also from several processes.
            log.write(
                f"{what} {os.environ.get('JOB_ID')} {os.environ.get('JOB_EPOCH')} {os.getpid()}\n"
            )
