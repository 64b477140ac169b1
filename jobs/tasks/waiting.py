"""Waiting for the end of a task: the database tells of it, or is asked in pauses."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from jobs.process.listener import Listener
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.tasks.results import JobResult

#: Pauses between two looks at the row, in seconds: the first, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


def wait(result: JobResult, timeout: float | None) -> None:
    """Refreshes the result until it is finished. Raises TimeoutError."""
    from jobs.models import Job

    deadline = None if timeout is None else time.monotonic() + timeout
    result.refresh()
    if result.is_finished:
        return
    news = threading.Event()
    with Listener(partial(store_for(Job).listen_for_ends, news.set)):
        for pause in _pauses():
            news.clear()
            result.refresh()
            if result.is_finished:
                return
            left = pause if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"Task {result.id} is {result.status} after {timeout:g} seconds."
                )
            news.wait(min(pause, left))


async def finished(result: JobResult) -> None:
    """Refreshes the result until it is finished."""
    from jobs.models import Job

    await result.arefresh()
    if result.is_finished:
        return
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        loop.call_soon_threadsafe(news.set)

    with Listener(partial(store_for(Job).listen_for_ends, tell)):
        for pause in _pauses():
            news.clear()
            await result.arefresh()
            if result.is_finished:
                return
            # Not asyncio's wait_for: before Python 3.12, it takes a cancel that comes
            # together with the news for the news.
            timer = loop.call_later(pause, news.set)
            try:
                await news.wait()
            finally:
                timer.cancel()


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
