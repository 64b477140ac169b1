"""Signs of life from a process beside the worker's, even while a job hogs the
interpreter.

The keeper is forked before the worker opens a connection or starts a thread. The worker
tells it through a pipe what to renew. It ends when the pipe does, and so with the
worker, however that ends. A worker that is stopped (SIGSTOP) is as good as dead, so
nothing is renewed for it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import marshal
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from jobs.conf import settings
from jobs.execution import apart
from jobs.logs import get_logger
from jobs.process import overdue
from jobs.process.bulletin import Bulletin, Card, Report
from jobs.process.holds import Hold
from jobs.process.leases import HURRY, Heartbeat, renew
from jobs.process.told import Told, instant, is_stopped, number_of

logger = get_logger(__name__)

#: A message in the pipe is its length, then its marshalled fields.
LENGTH = struct.Struct("=I")
#: After each look the keeper gathers messages for this many seconds, because waking a
#: second process for every job would slow both down. It ends as soon as its worker has.
GATHER = 0.05
#: Bytes that wait for the next message; with that, they are less than an atomic write.
MOST_UNTOLD = 2048
#: The pipe's capacity in bytes, where the system lets it be set.
PIPE_SIZE = 2**20


class Keeper(Heartbeat):
    """A Heartbeat whose beats are another process's. If that dies, this process beats
    itself.
    """

    def __init__(self, also: Callable[[], None] | None = None, card: Card | None = None):
        super().__init__(also, card)
        told, self._tell = os.pipe()
        _enlarge(self._tell)
        self._told_back, tell_back = os.pipe()
        self._ask, asked = socket.socketpair(type=socket.SOCK_DGRAM)
        if os.fork() == 0:
            os.close(self._tell)
            os.close(self._told_back)
            self._ask.close()
            _Child(told, tell_back, asked, Bulletin(card)).run()
        os.close(told)
        os.close(tell_back)
        asked.close()
        apart.forked_by(self._fork)
        self._woken, self._wake = os.pipe()
        self._dead = False
        #: What is told with the next message, because writing takes longest.
        self._untold = b""

    def _begin(self, hold: Hold) -> None:
        self._describe(hold, more_follows=hold.with_execution)
        super()._begin(hold)

    def limit(self, hold: Hold, seconds: float | None) -> None:
        super().limit(hold, seconds)
        with self._lock:
            self._describe(hold)

    def _describe(self, hold: Hold, *, more_follows: bool = False) -> None:
        message = (hold.number, hold.deadline, *hold.described())
        self._send(message, more_follows=more_follows)

    def _end(self, hold: Hold) -> None:
        self._send((hold.number,), more_follows=hold.within_watch)
        if self._dead:
            super()._end(hold)

    def report(self, hold: Hold, report: Report) -> None:
        self._tell_now("report", hold.number, *report)
        if self._dead:
            super().report(hold, report)

    def _have_shown(self, started_at: dt.datetime) -> None:
        self._tell_now("appear", number_of(started_at))
        if self._dead:
            super()._have_shown(started_at)

    def _have_hidden(self) -> None:
        self._tell_now("disappear")
        super()._have_hidden()

    def _tell_now(self, *message: Any) -> None:
        with self._lock:
            self._send(message, more_follows=False)

    def _send(self, message: tuple[Any, ...], *, more_follows: bool) -> None:
        data = marshal.dumps(message)
        self._untold += LENGTH.pack(len(data)) + data
        if more_follows and len(self._untold) < MOST_UNTOLD:
            return
        told, self._untold = self._untold, b""
        try:
            # Shorter than a pipe's atomic write, so all of it arrives at once.
            os.write(self._tell, told)
        except OSError:
            self._dead = True

    def _wait(self, seconds: float) -> None:
        """A beat's pause, during which the keeper may tell something."""
        if self._dead:
            super()._wait(seconds)
            return
        deadline = time.monotonic() + seconds
        while not (self._stopped.is_set() or self._dead):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._listen(left)

    def _listen(self, seconds: float) -> None:
        """Reads what the keeper tells within `seconds`: which holds it found lost.

        The end of the pipe tells that the keeper is dead.
        """
        readable = select.select([self._told_back, self._woken], [], [], seconds)[0]
        if self._woken in readable:
            os.read(self._woken, 1)
        if self._told_back not in readable:
            return
        if received := os.read(self._told_back, 65536):
            self._mark_lost({int(line) for line in received.split()})
        else:
            logger.warning("The process that renews leases has died: this one does it now.")
            self._dead = True
            if self._present_since is not None:
                super()._have_shown(self._present_since)

    def stop(self) -> None:
        self._stopped.set()
        os.write(self._wake, b".")
        super().stop()

    def _fork(self, there: socket.socket) -> None:
        socket.send_fds(self._ask, [b"?"], [there.fileno()])

    def _mark_lost(self, ids: set[int]) -> None:
        with self._lock:
            for number in ids & set(self._holds):
                self._holds[number].lost.set()

    def beat(self) -> None:
        if self._dead:
            super().beat()


class _Child:
    """The other process. It never returns."""

    def __init__(self, told: int, tell_back: int, asked: socket.socket, bulletin: Bulletin):
        self._told, self._tell_back, self._asked = told, tell_back, asked
        self._bulletin = bulletin
        self._parent = os.getppid()
        self._holds: dict[int, Told] = {}
        self._unfinished = b""

    def run(self) -> None:
        # A terminal's Ctrl-C reaches both, but the worker decides when to end.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked
        apart.forked_by(None)
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
            wait = min([next_beat, self._bulletin.due_at(), *deadlines]) - time.monotonic()
            ends: list[Any] = [self._told, self._asked]
            readable = select.select(ends, [], [], max(wait, 0))[0]
            if self._asked in readable:
                self._fork()
            if self._told in readable:
                if not self._receive():
                    return
                time.sleep(GATHER)
            if os.getppid() != self._parent:
                return  # the pipe may have been inherited by something that the job forked
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._beat()
            self._write_bulletin()
            self._end_what_is_overdue()

    def _receive(self) -> bool:
        received = os.read(self._told, PIPE_SIZE)
        data, at = self._unfinished + received, 0
        while len(data) - at >= LENGTH.size:
            [length] = LENGTH.unpack_from(data, at)
            if len(data) - at < LENGTH.size + length:
                break
            at += LENGTH.size + length
            message = data[at - length : at]
            self._take(*marshal.loads(message))  # noqa: S302 (written by our own parent)
        self._unfinished = data[at:]
        return bool(received)

    def _take(self, what: Any, *told: Any) -> None:
        if what == "report":
            number, *report = told
            if number in self._holds:
                self._bulletin.report(number, Report(*report))
        elif what == "appear":
            self._bulletin.appear(instant(*told))
        elif what == "disappear":
            self._bulletin.disappear()
            self._bulletin.remove()
        elif told:
            self._holds[what] = Told(*told)
        else:
            self._holds.pop(what, None)
            self._bulletin.forget(what)

    def _write_bulletin(self) -> None:
        if time.monotonic() >= self._bulletin.due_at():
            in_hand = sum(told.is_watched for told in self._holds.values())
            steps = self._bulletin.take(in_hand, silent=is_stopped(self._parent))
            self._bulletin.carry_out(steps)

    def _fork(self) -> None:
        """A job object is to be asked, in a process that begins with one thread."""
        _, [there], _, _ = socket.recv_fds(self._asked, 1, 1)
        if os.fork() == 0:
            for end in (self._told, self._tell_back, self._asked.detach()):
                os.close(end)
            apart.answer(socket.socket(fileno=there))
        os.close(there)

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
                # First, because recording may take a while.
                with contextlib.suppress(ProcessLookupError):  # it has ended itself
                    os.kill(self._parent, signal.SIGKILL)
                overdue.record(told.hold)
                os._exit(0)


def _enlarge(pipe: int) -> None:
    import fcntl

    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def heartbeat() -> Callable[[Callable[[], None], Card], Heartbeat]:
    """The best kind that this process can have.

    Call it before the process opens a connection or starts a thread.
    """
    forks_safely = hasattr(os, "fork") and threading.active_count() == 1
    return Keeper if forks_safely else Heartbeat
