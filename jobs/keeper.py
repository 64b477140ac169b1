"""Signs of life from a process beside the worker's: also while a job holds the interpreter's lock for minutes.

The keeper is forked before the worker opens a connection or starts a thread. It renews what the worker tells it to, through a
pipe, and ends when the pipe does: with the worker, however that ends. A worker that is stopped (SIGSTOP) is as good as
dead, so nothing is renewed for it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from functools import cached_property

from django.apps import apps
from django.db import connections

from jobs import codec
from jobs.conf import settings
from jobs.heartbeat import HURRY, Heartbeat, Hold, renew

logger = logging.getLogger(__name__)

#: What the worker tells is gathered for so long, in seconds: to wake a second process for every job would slow both down.
GATHER = 0.05
#: What the pipe is to hold meanwhile, in bytes, where the system lets it be set.
PIPE_SIZE = 2**20


class Keeper(Heartbeat):
    """A Heartbeat whose beats are another process's; should that die, this process's own take its place."""

    def __init__(self, also: Callable[[], None] | None = None):
        super().__init__(also)
        told, self._tell = os.pipe()
        _enlarge(self._tell)
        self._told_back, tell_back = os.pipe()
        if os.fork() == 0:
            os.close(self._tell)
            os.close(self._told_back)
            _Child(told, tell_back).run()
        os.close(told)
        os.close(tell_back)
        self._woken, self._wake = os.pipe()
        self._dead = False

    def _begin(self, hold: Hold) -> None:
        self._send(f"+{hold.number} {hold.deadline or 0} {json.dumps(hold.described())}\n")
        super()._begin(hold)

    def _end(self, hold: Hold) -> None:
        self._send(f"-{hold.number}\n")

    def _send(self, line: str) -> None:
        try:
            # Shorter than a pipe's atomic write: lines of several threads don't mix.
            os.write(self._tell, line.encode())
        except OSError:
            self._dead = True

    def _wait(self, seconds: float) -> None:
        """Instead of a beat's pause: reads which holds the keeper found lost."""
        if self._dead:
            return super()._wait(seconds)
        deadline = time.monotonic() + seconds
        while not self._stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            readable = select.select([self._told_back, self._woken], [], [], left)[0]
            if self._woken in readable:
                os.read(self._woken, 1)
            if self._told_back not in readable:
                continue
            received = os.read(self._told_back, 65536)
            if not received:
                logger.warning("The process that renews leases has died: this one renews them itself.")
                self._dead = True
                return
            self._mark_lost({int(line) for line in received.split()})

    def stop(self) -> None:
        self._stopped.set()
        os.write(self._wake, b".")
        super().stop()

    def _mark_lost(self, ids: set[int]) -> None:
        with self._lock:
            for number in ids & set(self._holds):
                self._holds[number].lost.set()

    def beat(self) -> None:
        if self._dead:
            super().beat()


class _Child:
    """The other process. It never returns."""

    def __init__(self, told: int, tell_back: int):
        self._told, self._tell_back = told, tell_back
        self._parent = os.getppid()
        self._holds: dict[int, Told] = {}
        self._unfinished = b""

    def run(self) -> None:
        # A terminal's Ctrl-C reaches both; when to end is the worker's decision.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        try:
            self._loop()
        except BaseException:
            logger.exception("The process that renews leases ends.")
        finally:
            os._exit(0)

    def _loop(self) -> None:
        next_beat = time.monotonic() + settings.LEASE / 4
        while True:
            deadlines = [told.deadline for told in self._holds.values() if told.deadline]
            wait = min([next_beat, *deadlines]) - time.monotonic()
            if select.select([self._told], [], [], max(wait, 0))[0]:
                time.sleep(GATHER)
                if not self._receive():
                    return
            if os.getppid() != self._parent:
                return  # the pipe may have been inherited by something that the job forked
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._beat()
            self._end_what_is_overdue()

    def _receive(self) -> bool:
        received = os.read(self._told, PIPE_SIZE)
        *lines, self._unfinished = (self._unfinished + received).split(b"\n")
        for line in lines:
            number, *told = line[1:].split(b" ", 2)
            if line.startswith(b"+"):
                self._holds[int(number)] = Told(float(told[0]), told[1])
            else:
                self._holds.pop(int(number), None)
        return bool(received)

    def _beat(self) -> float:
        """Renews, and returns the seconds until the next time."""
        if is_stopped(self._parent):
            return settings.LEASE / 4 / HURRY
        try:
            numbers = {told.hold: number for number, told in self._holds.items()}
            for lost in renew(list(numbers)):
                os.write(self._tell_back, b"%d\n" % numbers[lost])
        except OSError:
            raise
        except Exception as error:
            logger.warning("A heartbeat failed, and is tried again: %s", error)
            connections.close_all()
            return settings.LEASE / 4 / HURRY
        return settings.LEASE / 4

    def _end_what_is_overdue(self) -> None:
        for told in list(self._holds.values()):
            if told.deadline and time.monotonic() >= told.deadline:
                from jobs.overdue import record

                record(told.hold)
                os.kill(self._parent, signal.SIGKILL)
                return


class Told:
    """A hold as the worker told it. Most end before they are looked at."""

    def __init__(self, deadline: float, text: bytes):
        self.deadline = deadline
        self._text = text

    @cached_property
    def hold(self) -> Hold:
        told = json.loads(self._text)
        return Hold(apps.get_model(told["model"]), codec.decode(told["pk"]), told["where"], told["changed"])


def _enlarge(pipe: int) -> None:
    import fcntl

    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by SIGSTOP or a debugger; False where the system doesn't tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may itself contain anything.
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False


def heartbeat() -> Callable[[Callable[[], None]], Heartbeat]:
    """The best there is, for a process that has not opened a connection or started a thread yet."""
    return Keeper if hasattr(os, "fork") and threading.active_count() == 1 else Heartbeat
