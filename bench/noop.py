"""The jobs that the benchmarks perform: they do almost nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

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
