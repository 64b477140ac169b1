"""Hearing from the database that jobs may have become ready."""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import connections

from jobs.logs import get_logger
from jobs.process.news import News
from jobs.store.patience import brief

logger = get_logger(__name__)

#: After an error the listener tries again this many seconds later; polling goes on
#: meanwhile.
PAUSE = 5.0


class Listener:
    """A thread that tells `news` as soon as jobs may have become ready.

    A context manager: the thread runs while it is open.
    """

    def __init__(self, store: Any, news: News):
        self._store = store
        self._news = news
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
                    self._store.listen(self._news, self._stop)
                    return
                except Exception as error:
                    text = "The database can't tell of new jobs, so it is only polled: %s"
                    logger.log(level, text, brief(error))
                    level = logging.DEBUG  # said once: a standalone MongoDB never can
                    connections.close_all()
                self._stop.wait(PAUSE)
        finally:
            connections.close_all()
