"""Job objects that the tests enqueue. What they do is recorded in `calls`, or, across
processes, in a file.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jobs
from batchexec import Resources

calls: list[Any] = []


@dataclass
class Record(jobs.Performable):
    value: Any = None

    def perform(self) -> None:
        calls.append(self.value)


@dataclass
class Fail(jobs.Performable):
    message: str = "it broke"

    def perform(self) -> None:
        raise RuntimeError(self.message)


class FailForNow(Fail):
    """Isn't due again while the test goes on, however slow the machine is."""

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now + dt.timedelta(hours=1)


class Undecorated(jobs.Performable):
    a: int
    b: list[int] = field(default_factory=list)

    def perform(self) -> None:
        calls.append((self.a, self.b))


@dataclass
class Hooked(jobs.Performable):
    fails_in: str = ""

    def _called(self, name: str) -> None:
        calls.append(name)
        if self.fails_in == name:
            raise RuntimeError(f"{name} broke")

    def enqueue(self, job: Any) -> None:
        self._called("enqueue")

    def before(self, job: Any) -> None:
        self._called("before")

    def perform(self) -> None:
        self._called("perform")

    def success(self) -> None:  # declares no parameter, so it gets none
        self._called("success")

    def error(self, job: Any, exception: BaseException) -> None:
        self._called("error")

    def after(self, job: Any) -> None:
        self._called("after")

    def failure(self, job: Any) -> None:
        self._called("failure")


@dataclass
class Append(jobs.Performable):
    """Appends a line to a file: seen from other processes, and counted."""

    path: str
    text: str = "performed"

    def perform(self) -> None:
        append(self.path, self.text)


@dataclass
class Speak(jobs.Performable):
    """Logs a line in its thread, and one in a thread of its own, and fails."""

    def perform(self) -> None:
        logger = logging.getLogger("tests.speak")
        logger.warning("in the job's thread\nCRITICAL forged")
        thread = threading.Thread(target=logger.warning, args=("in a thread",))
        thread.start()
        thread.join()
        raise RuntimeError("no\nluck")


@dataclass
class Wait(jobs.Performable):
    """Says that it began, waits for a file to appear, and says that it ended."""

    log: str
    until: str
    text: str = ""
    limit: float = 600

    def perform(self) -> None:
        append(self.log, f"began {self.text} {os.getpid()}")
        deadline = time.monotonic() + self.limit
        while not Path(self.until).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(self.until)
            time.sleep(0.02)
        append(self.log, f"ended {self.text}")


class InAnHour(jobs.Performable):
    """Is tried again only then, so that a failed attempt can be looked at in peace."""

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now + dt.timedelta(hours=1)


@dataclass
class AppendInAnHour(InAnHour, Append):
    pass


@dataclass
class WaitInAnHour(InAnHour, Wait):
    pass


@dataclass
class WaitAndFail(InAnHour, Wait):
    def perform(self) -> None:
        super().perform()
        raise RuntimeError("after all")


@dataclass
class Sized(jobs.Performable):
    text: str
    queue: str | None = None

    @property
    def batch(self) -> Resources:
        return Resources(
            vcpu=0.3, memory=1500, timeout=600, queue=self.queue, environment={"COLOUR": "blue"}
        )

    def perform(self) -> None:
        assert os.environ["COLOUR"] == "blue"


@dataclass
class Greedy(Append):
    """Gets twice the memory after it ran out of it."""

    batch = Resources(vcpu=1, memory=2048, on_oom=2)


@dataclass
class Bare:
    """Not a Performable."""

    def perform(self) -> None:
        raise AssertionError("never called")


class Silent(jobs.Performable):
    """No perform()."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Unreadable(Exception):
    """Whoever looks at it gets another error."""

    def __getattribute__(self, name: str) -> Any:
        raise ValueError(f"no {name}")


class Classless(Exception):
    @property
    def __class__(self) -> Any:
        raise SystemExit(3)


@dataclass
class Raise(jobs.Performable):
    kind: str

    def perform(self) -> None:
        if self.kind == "unprintable":
            raise Unprintable
        if self.kind == "unreadable":
            raise Unreadable
        if self.kind == "classless":
            raise Classless
        if self.kind == "huge":
            raise ValueError("x" * 10_000_000)
        if self.kind == "binary":
            raise ValueError("\x00\udcff\ud800 é \x1b[31m")
        if self.kind == "exit":
            raise SystemExit(3)
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        if self.kind == "group":
            raise ExceptionGroup("many", [ValueError("a")] * 3)  # noqa: F821
        raise AssertionError(self.kind)


def append(path: str, text: str) -> None:
    # One write of less than a page: whole lines also from several processes.
    with open(path, "a") as file:
        file.write(f"{text}\n")


class Target:
    """What `delay` and `handle_asynchronously` are tried on."""

    @classmethod
    def remember(cls, a: Any, b: Any) -> None:
        calls.append((a, b))

    @classmethod
    def forget(cls, *args: Any, **kwargs: Any) -> None:
        calls.append("forgotten")

    @classmethod
    def _private(cls, a: Any) -> None:
        calls.append(a)

    @jobs.handle_asynchronously(queue="slow", priority=lambda target: len(target.__name__) + 1)
    @classmethod
    def later(cls, text: str) -> str:
        calls.append(text)
        return f"result of {text}"

    @jobs.handle_asynchronously()
    def not_a_model(self) -> None: ...


@dataclass
class Hog(jobs.Performable):
    """Holds the interpreter's lock in one call of C code for so many seconds."""

    log: str
    seconds: float

    def perform(self) -> None:
        append(self.log, "began")
        # PyDLL doesn't let go of the lock, and no processor is needed for that.
        ctypes.PyDLL(None).usleep(int(self.seconds * 1_000_000))
        append(self.log, "ended")


@dataclass
class HogUntil(jobs.Performable):
    """Holds the interpreter's lock in one call of C code until somebody opens that
    FIFO to write.
    """

    log: str
    fifo: str

    def perform(self) -> None:
        append(self.log, "began")
        while ctypes.PyDLL(None).open(self.fifo.encode(), os.O_RDONLY) < 0:
            pass
        append(self.log, "ended")


@dataclass
class Stubborn(jobs.Performable):
    """Swallows whatever is raised in it."""

    log: str
    swallows: str = "Exception"

    def perform(self) -> None:
        append(self.log, f"began {os.getpid()}")
        kind = Exception if self.swallows == "Exception" else BaseException
        while True:
            try:
                time.sleep(0.05)
            except kind:
                append(self.log, "swallowed")
