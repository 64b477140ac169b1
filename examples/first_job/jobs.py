"""The job. Workers import this module, so it is not the program that enqueues."""

from __future__ import annotations

from dataclasses import dataclass

import jobs


@dataclass
class Greet(jobs.Performable):
    name: str

    def perform(self) -> None:
        print(f"Hello, {self.name}!")
