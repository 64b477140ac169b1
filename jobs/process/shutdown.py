"""TERM and INT, as a worker takes them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from jobs.conf import settings
from jobs.logs import get_logger

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.process.leases import Heartbeat

logger = get_logger(__name__)

#: Jobs that are named at most.
NAMED = 10


class Stoppable(Protocol):
    def stop(self) -> None: ...

    def interrupt(self) -> None: ...

    @property
    def heartbeat(self) -> Heartbeat: ...


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
        again, at_once = len(received) > 1, _interrupts_at_once(signum)
        arguments = (worker, signum, again or at_once)
        threading.Thread(target=_stop, args=arguments, daemon=True).start()
        if again or at_once:
            worker.interrupt()

    stops = (signal.SIGTERM, signal.SIGINT)
    previous = {signum: signal.signal(signum, handle) for signum in stops}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _stop(worker: Stoppable, signum: int, interrupts: bool) -> None:
    here, elsewhere = worker.heartbeat.still_running()
    logger.info("[%s] %s received: exiting", worker, signal.Signals(signum).name)
    if here:
        then = "they are interrupted" if interrupts else "a second signal interrupts them"
        what = "1 job is" if len(here) == 1 else f"{len(here):,} jobs are"
        text = "[%s] %s still running in this process, and waited for; %s: %s"
        logger.info(text, worker, what, then, _named(here))
    if elsewhere:
        what = "1 job goes" if elsewhere == 1 else f"{elsewhere:,} jobs go"
        logger.info("[%s] %s on elsewhere, for another worker to take over", worker, what)
    worker.stop()


def _named(jobs: list[AbstractJob]) -> str:
    shown = ", ".join(str(job) for job in jobs[:NAMED])
    return f"{shown}, …" if len(jobs) > NAMED else shown


def _interrupts_at_once(signum: int) -> bool:
    setting = settings.RAISE_SIGNAL_EXCEPTIONS
    return setting is True or (setting == "term" and signum == signal.SIGTERM)
