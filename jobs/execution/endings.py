"""The end of a process in which jobs were performed, whatever they left in it."""

from __future__ import annotations

import logging
import os
import threading
from typing import NoReturn

from jobs.children import flush
from jobs.text import one_line

logger = logging.getLogger(__name__)


def threads_left(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that began since and would keep the process from ending."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.daemon and thread.is_alive()
    ]


def end_process(status: int, left: list[threading.Thread]) -> NoReturn:
    """Ends the process without waiting for threads that jobs left; names them in the
    log.
    """
    names = one_line(", ".join(sorted(str(thread.name) for thread in left)))
    logger.warning("Jobs left threads behind, which end with the process: %s", names)
    flush()
    logging.shutdown()
    os._exit(status)
