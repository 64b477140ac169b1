"""The end of a process in which jobs were performed, whatever they left in it."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from jobs.children import flush
from jobs.logs import get_logger
from jobs.text import one_line

logger = get_logger(__name__)

#: For how many seconds exit handlers, and all else that ends with a process, may run.
ENDING = 10.0
#: After how many more seconds the system ends a process that can't do it itself.
GRACE = 5.0


def end_process(status: int, before: set[threading.Thread]) -> None:
    """Has the process end in bounded time with this exit status.

    It waits neither for threads that began since `before` nor for processes of
    `multiprocessing`, which are left to themselves; both are named in the log. If there
    are none, it returns, and the interpreter ends as usual. What doesn't end within ten
    seconds then is named, too.
    """
    _end_at_the_latest(status)
    left = [*_threads_left(before), *_processes_left()]
    if not left:
        return
    text = "Jobs left threads or processes behind, which aren't waited for: %s"
    logger.warning(text, one_line(", ".join(left)))
    if util := sys.modules.get("multiprocessing.util"):
        atexit.unregister(util._exit_function)  # which waits for them
    atexit._run_exitfuncs()
    _leave(status)


def _threads_left(before: set[threading.Thread]) -> Iterator[str]:
    """Those that would keep the process from ending."""
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon and thread.is_alive():
            yield str(thread.name)


def _processes_left() -> Iterator[str]:
    # Not imported if no job has, because each Batch job pays for that.
    multiprocessing = sys.modules.get("multiprocessing")
    for process in multiprocessing.active_children() if multiprocessing else ():
        if not process.daemon:
            yield f"{process.name} (pid {process.pid})"


def _end_at_the_latest(status: int) -> None:
    def watch() -> None:
        time.sleep(ENDING)
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        where = (
            "somewhere"
            if frame is None
            else f"{frame.f_code.co_name} ({frame.f_code.co_filename}:{frame.f_lineno})"
        )
        left = ", ".join([*_threads_left(set()), *_processes_left()])
        text = "The process doesn't end after %.0f s, so it is ended: it is in %s; left: %s"
        logger.warning(text, ENDING, one_line(where), one_line(left))
        _leave(status)

    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, ENDING + GRACE)
    threading.Thread(target=watch, daemon=True, name="jobs-end").start()


def _leave(status: int) -> None:
    flush()
    logging.shutdown()
    os._exit(status)
