"""The job of `make soak`, which leaves a trace of each of its executions."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import jobs


@dataclass
class SoakJob(jobs.Performable):
    """Writes down when it begins and ends, with its epoch and its process."""

    number: int
    seconds: float

    def perform(self) -> None:
        self._note("began")
        time.sleep(self.seconds)
        self._note("ended")

    def _note(self, what: str) -> None:
        job, epoch = os.environ.get("JOB_ID"), os.environ.get("JOB_EPOCH")
        with open(os.environ["SOAK_LOG"], "a") as log:
            # One short write, so that lines of several processes don't mix.
            log.write(f"{what} {job} {epoch} {os.getpid()}\n")
