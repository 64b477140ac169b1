"""Waiting for a database that can't be reached: the same step again, at growing
intervals.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.logs import get_logger
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.store.base import Store

logger = get_logger(__name__)

T = TypeVar("T")

#: Seconds between two tries: the first pause, and the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
#: Longest description of an error in the log, in characters: drivers describe a whole
#: cluster.
MAX_LINE = 200


class Backoff:
    """Pauses that double, from `first` to `longest` seconds."""

    def __init__(self, first: float, longest: float):
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """The pause to make now, in seconds."""
        pause = self._next
        self._next = min(pause * 2, self._longest)
        return pause

    def reset(self) -> None:
        self._next = self._first


class Complaint:
    """A warning that is logged once, until what failed has worked again."""

    def __init__(self, logger: logging.Logger, text: str):
        """`text` has a place for the error."""
        self._logger = logger
        self._text = text
        self._is_made = False

    def make(self, error: BaseException) -> None:
        if not self._is_made:
            self._logger.warning(self._text, brief(error), stacklevel=2)
        self._is_made = True

    def settle(self) -> None:
        """It has worked."""
        self._is_made = False


def until_available(
    store: Store[Any],
    function: Callable[[], T],
    stopping: threading.Event,
    *,
    give_up_after: float | None = None,
    again: Callable[[], T] | None = None,
) -> T | None:
    """Calls `function` until the database can be reached, and returns what it returns.

    From the second try on, `again` is called in its place if you pass one, because the
    first try may have been carried out and only its answer lost.

    Returns None once `stopping` is set. Raises the last error `give_up_after` seconds
    after the first try. Any other error is raised at once.
    """
    began = time.monotonic()
    backoff: Backoff | None = None
    while True:
        try:
            with store.reaching():
                result = function() if backoff is None or again is None else again()
        except Exception as error:
            if not store.is_unavailable(error):
                raise
            store.reconnect()
            waited = time.monotonic() - began
            if give_up_after is not None and waited > give_up_after:
                raise
            text = "The database can't be reached (for %.0f s): %s"
            logger.warning(text, waited, brief(error))
        else:
            if backoff is not None:
                waited = time.monotonic() - began
                logger.info("The database can be reached again (after %.0f s).", waited)
            return result
        backoff = backoff or Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        if stopping.wait(backoff.next()):
            return None


def brief(error: BaseException) -> str:
    """An error's text on one line, cut to a length that a log can bear."""
    line = one_line(" ".join(str(error).split())) or type(error).__name__
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"
