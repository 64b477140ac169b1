"""The jobs that the benchmarks perform: they do almost nothing."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import jobs


class NoOp(jobs.Performable):
    """Does nothing."""

    def perform(self) -> None: ...


@dataclass
class NoteTime(jobs.Performable):
    """Writes down when it is performed."""

    path: str

    def perform(self) -> None:
        with open(self.path, "a") as file:
            file.write(f"{time.time()}\n")


@dataclass
class NoteStart(jobs.Performable):
    """Writes down when its process began, when it is performed, and its row's times."""

    path: str

    def perform(self) -> None:
        first_line = time.time()
        job = jobs.Job.objects.get(pk=os.environ["JOB_ID"])
        assert job.locked_at is not None
        assert job.started_at is not None
        times = {
            "job": str(job.pk),
            "claimed": job.locked_at.timestamp(),
            "process": _process_began(),
            "registered": job.started_at.timestamp(),
            "first line": first_line,
        }
        with open(self.path, "a") as file:
            file.write(f"{json.dumps(times)}\n")


def _process_began() -> float:
    """When this process was started, by the system's clock, to a tick of it."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    running = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + running
