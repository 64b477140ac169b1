"""TERM and INT, as a worker takes them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from jobs.conf import settings
from jobs.logs import get_logger

logger = get_logger(__name__)


class Stoppable(Protocol):
    def stop(self) -> None: ...

    def interrupt(self) -> None: ...


@contextmanager
def signals_handled(worker: Stoppable) -> Iterator[None]:
    """The first signal stops the worker, the second interrupts its jobs in this
    process, too.

    Outside the main thread, where no signal arrives, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def handle(signum: int, frame: Any) -> None:
        received.append(signum)
        # In a thread, because this handler may have interrupted the very code that
        # holds the lock which stopping takes.
        threading.Thread(target=_stop, args=(worker, signum), daemon=True).start()
        if len(received) > 1 or _interrupts_at_once(signum):
            worker.interrupt()

    stops = (signal.SIGTERM, signal.SIGINT)
    previous = {signum: signal.signal(signum, handle) for signum in stops}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _stop(worker: Stoppable, signum: int) -> None:
    logger.info("[%s] %s received: exiting", worker, signal.Signals(signum).name)
    worker.stop()


def _interrupts_at_once(signum: int) -> bool:
    setting = settings.RAISE_SIGNAL_EXCEPTIONS
    return setting is True or (setting == "term" and signum == signal.SIGTERM)
