"""Job objects that never answer, in C code, which no exception interrupts."""

from __future__ import annotations

import ctypes
import datetime as dt
import os
import re
from dataclasses import dataclass
from typing import Any

import jobs
from tests.limits import end_is_near
from tests.samples import append


def deadlock() -> None:
    """Waits for itself, which no signal ends, and costs the processor nothing."""
    libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(128)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


WAYS = {
    "regex": lambda: re.match(r"(a+)+$", "a" * 60 + "b"),
    "deadlock": deadlock,
    "sleep": lambda: ctypes.PyDLL(None).sleep(3600),  # keeps the interpreter's lock
}


def stuck(log: str, place: str, way: str = "sleep", *, limited: bool = True) -> None:
    """Never returns. In the process apart, where it is `limited`, its time is over."""
    append(log, f"stuck in {place}")
    if limited:
        end_is_near()
    WAYS[way]()


if os.environ.get("STUCK_LOG"):
    stuck(os.environ["STUCK_LOG"], "import")


@dataclass
class Stuck(jobs.Performable):
    """Is stuck in `place` in any process but that of the tests, or there, too."""

    log: str
    place: str
    way: str = "sleep"
    tests: int = 0

    def __post_init__(self) -> None:
        self._stuck("constructor")

    def _stuck(self, place: str) -> None:
        if place == self.place and os.getpid() != self.tests:
            stuck(self.log, place, self.way, limited=place != "perform")

    @property
    def max_attempts(self) -> int | None:
        self._stuck("max_attempts")
        return 1 if self.place in ("failure", "destroy_failed_jobs") else None

    def destroy_failed_jobs(self) -> bool:
        self._stuck("destroy_failed_jobs")
        return False

    def reschedule_at(self, now: Any, attempts: int) -> Any:
        self._stuck("reschedule_at")
        return now + dt.timedelta(hours=1)

    def failure(self) -> None:
        self._stuck("failure")

    def perform(self) -> None:
        self._stuck("perform")
        if self.place != "import":
            raise RuntimeError("it broke")
