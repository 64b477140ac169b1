"""Several worker processes, kept running and stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.logs import get_logger
from jobs.store.patience import Backoff

logger = get_logger(__name__)

#: A worker that died is started again after the first number of seconds; later, up to
#: the second, if it keeps dying.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: One that lived this long, in seconds, counts as having started well.
LIVED = 10.0
#: How often the processes are looked at, in seconds.
LOOK = 0.2


@dataclass
class Child:
    """One place for a worker process, with the arguments of its `jobworker`."""

    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE, LONGEST_PAUSE))
    finished: bool = False
    ended_badly: bool = False
    statuses: list[int] = field(default_factory=list)


class Supervisor:
    """Runs a `jobworker` process for each list of arguments.

    Restarts a worker that dies, and passes TERM and INT on to all. Each child has a
    session of its own, so that a terminal's Ctrl-C reaches it once, through here. A
    child ends when it finds its supervisor gone.
    """

    def __init__(self, arguments: Sequence[Sequence[str]], command: Sequence[str]):
        self._children = [Child(each) for each in arguments]
        self._command = command
        self._signals: list[int] = []

    def run(self) -> int:
        """Returns the exit status.

        0 after a clean stop, or when every worker is done; 1 if none could be started.
        """
        stops = (signal.SIGTERM, signal.SIGINT)
        previous = {number: signal.signal(number, self._receive) for number in stops}
        try:
            return self._run()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: Any) -> None:
        self._signals.append(number)

    def _run(self) -> int:
        refused = False
        while True:
            while self._signals:
                self._pass_on(self._signals.pop(0))
            for child in self._children:
                self._look_after(child)
            if all(child.finished for child in self._children):
                return int(refused or any(child.ended_badly for child in self._children))
            if not refused and self._refused():
                refused = True
                logger.error("No worker could be started: see the error above.")
                self._pass_on(signal.SIGTERM)
            time.sleep(LOOK)

    def _refused(self) -> bool:
        """Whether every worker ended at once with status 1.

        That is a wrong setting, which starting again wouldn't mend.
        """
        return all(child.statuses == [1] and not child.finished for child in self._children)

    def _pass_on(self, number: int) -> None:
        logger.info("Passing %s on to the workers", signal.Signals(number).name)
        for child in self._children:
            if child.process is None:
                child.finished = True
            else:
                child.start_at = float("inf")  # not again
                child.process.send_signal(number)

    def _look_after(self, child: Child) -> None:
        if child.process is None:
            if not child.finished and time.monotonic() >= child.start_at:
                self._start(child)
            return
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        child.statuses.append(status)
        if child.start_at == float("inf") or status == 0:
            child.finished = True
            child.ended_badly = status != 0
            return
        lived = time.monotonic() - child.started_at
        if lived > LIVED:
            child.backoff.reset()
        pause = child.backoff.next()
        child.start_at = time.monotonic() + pause
        text = "A worker died with status %d after %.0f s: another is started in %.0f s"
        logger.warning(text, status, lived, pause)

    def _start(self, child: Child) -> None:
        command = [*self._command, *child.arguments, "--supervisor", str(os.getpid())]
        child.process = subprocess.Popen(command, start_new_session=True)
        child.started_at = time.monotonic()
        child.start_at = 0.0


def this_command() -> list[str]:
    """How this process was started, up to and with the name of the command."""
    return [sys.executable, *sys.orig_argv[1 : sys.orig_argv.index("jobworker") + 1]]


def watch_parent(pid: int, stop: Any) -> None:
    """Calls `stop()` once process `pid` is no longer this process's parent."""

    def watch() -> None:
        while os.getppid() == pid:
            time.sleep(1)
        logger.warning("The supervisor is gone: stopping")
        stop()

    threading.Thread(target=watch, daemon=True, name="jobs-supervised").start()
