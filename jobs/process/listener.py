"""Hearing from the database of jobs, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connections

from jobs.logs import get_logger
from jobs.store.patience import brief

logger = get_logger(__name__)

#: After an error the listener tries again this many seconds later; polling goes on
#: meanwhile.
PAUSE = 5.0


class Listener:
    """A thread in which the database tells of something, such as jobs that may have
    become ready.

    `listen` does so until the event that it gets is set. It returns at once if the
    database can't tell, and is called again if it raises.

    A context manager: the thread runs while it is open.
    """

    def __init__(self, listen: Callable[[threading.Event], None]):
        self._listen = listen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs-listener", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *details: object) -> None:
        # Not waited for, because it ends by itself within a second.
        self._stop.set()

    def _run(self) -> None:
        level = logging.INFO
        try:
            while not self._stop.is_set():
                try:
                    self._listen(self._stop)
                    return
                except Exception as error:
                    text = "The database can't tell of new jobs, so it is only polled: %s"
                    logger.log(level, text, brief(error))
                    level = logging.DEBUG  # said once: a standalone MongoDB never can
                    connections.close_all()
                self._stop.wait(PAUSE)
        finally:
            connections.close_all()
