"""The job. Workers import it by its module, so it is not in the program that enqueues it."""

from __future__ import annotations

from dataclasses import dataclass

import jobs


@dataclass
class Greet(jobs.Performable):
    name: str

    def perform(self) -> None:
        print(f"Hello, {self.name}!")
