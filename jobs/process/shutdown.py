"""TERM and INT, as a worker takes them."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobs.conf import settings

if TYPE_CHECKING:
    from jobs.worker import Worker

logger = logging.getLogger("jobs.worker")


@contextmanager
def signals_handled(worker: Worker) -> Iterator[None]:
    """First signal: the worker stops. Second: what it performs in this process is interrupted, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def handle(signum: int, frame: Any) -> None:
        received.append(signum)
        # In a thread: this handler may have interrupted somebody who holds the very lock that stopping takes.
        threading.Thread(target=_stop, args=(worker, signum), daemon=True).start()
        if len(received) > 1 or _interrupts_at_once(signum):
            worker.interrupt()

    previous = {signum: signal.signal(signum, handle) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _stop(worker: Worker, signum: int) -> None:
    logger.info("[%s] %s received: exiting", worker, signal.Signals(signum).name)
    worker.stop()


def _interrupts_at_once(signum: int) -> bool:
    setting = settings.RAISE_SIGNAL_EXCEPTIONS
    return setting is True or (setting == "term" and signum == signal.SIGTERM)
