"""Limits of time that a test must meet at one place, however slow the machine is: they
are long, until what is to meet them has come there and calls `end_is_near()`.

As a worker's plugin, this gives job objects an hour for their answers, or ASKED_FOR
seconds. A job that can't be interrupted gets hardly more than its own limit.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from jobs import Plugin
from jobs.execution import questions
from jobs.execution.interrupts import Interruptible
from jobs.process import executor

#: Seconds.
AN_HOUR = 3600.0
NEAR = 0.05


class AnHour(Plugin):
    pass


def end_is_near() -> None:
    """Whatever limit the calling thread has ends at once, or very soon. It has one."""
    if threading.current_thread() is not threading.main_thread():
        threading.Thread(target=_timer_of_a_thread().function, daemon=True).start()
    elif signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        signal.setitimer(signal.ITIMER_REAL, NEAR)
    else:
        raise AssertionError("nothing limits this")


def _timer_of_a_thread() -> threading.Timer:
    [timer] = (
        thread
        for thread in threading.enumerate()
        if isinstance(thread, threading.Timer)
        and isinstance(getattr(thread.function, "__self__", None), Interruptible)
        and not thread.finished.is_set()
    )
    return timer


if "jobworker" in sys.argv:
    questions.ASKED_FOR = questions.HOOK_LIMIT = float(os.environ.get("ASKED_FOR", AN_HOUR))
    questions.GRACE = executor.GRACE = 1.0
