"""Signs of life from a process beside the worker's: also while a job holds the interpreter's lock for minutes.

The keeper is forked before the worker opens a connection or starts a thread. It renews what the worker tells it to, through a
pipe, and ends when the pipe does: with the worker, however that ends. A worker that is stopped (SIGSTOP) is as good as
dead, so nothing is renewed for it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import connections

from jobs import codec
from jobs.conf import settings
from jobs.heartbeat import HURRY, Heartbeat, Hold, renew

logger = logging.getLogger(__name__)


class Keeper(Heartbeat):
    """A Heartbeat whose beats are another process's; should that die, this process's own take its place."""

    def __init__(self, also: Callable[[], None] | None = None):
        super().__init__(also)
        told, self._tell = os.pipe()
        self._told_back, tell_back = os.pipe()
        if os.fork() == 0:
            os.close(self._tell)
            os.close(self._told_back)
            _Child(told, tell_back).run()
        os.close(told)
        os.close(tell_back)
        self._dead = False

    def _begin(self, hold: Hold) -> None:
        self._send({"id": id(hold), **hold.described()})
        super()._begin(hold)

    def _end(self, hold: Hold) -> None:
        self._send({"id": id(hold)})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            # Shorter than a pipe's atomic write: lines of several threads don't mix.
            os.write(self._tell, json.dumps(message).encode() + b"\n")
        except OSError:
            self._dead = True

    def _wait(self, seconds: float) -> None:
        """Instead of a beat's pause: reads which holds the keeper found lost."""
        if self._dead:
            return super()._wait(seconds)
        deadline = time.monotonic() + seconds
        while not self._stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            if not select.select([self._told_back], [], [], min(left, 1.0))[0]:
                continue
            received = os.read(self._told_back, 65536)
            if not received:
                logger.warning("The process that renews leases has died: this one renews them itself.")
                self._dead = True
                return
            self._mark_lost({int(line) for line in received.split()})

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
        self._holds: dict[int, Hold] = {}
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
            deadlines = [hold.deadline for hold in self._holds.values() if hold.deadline]
            wait = min([next_beat, *deadlines]) - time.monotonic()
            if select.select([self._told], [], [], max(wait, 0))[0] and not self._receive():
                return
            if os.getppid() != self._parent:
                return  # the pipe may have been inherited by something that the job forked
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._beat()
            self._end_what_is_overdue()

    def _receive(self) -> bool:
        received = os.read(self._told, 65536)
        *lines, self._unfinished = (self._unfinished + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "where" in message:
                self._holds[message["id"]] = _hold(message)
            else:
                self._holds.pop(message["id"], None)
        return bool(received)

    def _beat(self) -> float:
        """Renews, and returns the seconds until the next time."""
        if is_stopped(self._parent):
            return settings.LEASE / 4 / HURRY
        try:
            ids = {id(hold): number for number, hold in self._holds.items()}
            for lost in renew(list(self._holds.values())):
                os.write(self._tell_back, b"%d\n" % ids[id(lost)])
        except OSError:
            raise
        except Exception as error:
            logger.warning("A heartbeat failed, and is tried again: %s", error)
            connections.close_all()
            return settings.LEASE / 4 / HURRY
        return settings.LEASE / 4

    def _end_what_is_overdue(self) -> None:
        for hold in list(self._holds.values()):
            if hold.deadline and time.monotonic() >= hold.deadline:
                from jobs.overdue import record

                record(hold)
                os.kill(self._parent, signal.SIGKILL)
                return


def _hold(message: dict[str, Any]) -> Hold:
    model = apps.get_model(message["model"])
    hold = Hold(model, codec.decode(message["pk"]), message["where"], message["changed"])
    hold.deadline = message["deadline"]
    return hold


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
