from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from jobs.store.base import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two tries: the first pause, and the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
#: Longest description of an error in the log, in characters: drivers describe a whole cluster.
MAX_LINE = 200


def until_available(
    store: Store[Any],
    function: Callable[[], T],
    stopping: threading.Event,
    *,
    give_up_after: float | None = None,
    again: Callable[[], T] | None = None,
) -> T | None:
    """Calls `function`, and while the database can't be reached, calls it again with a growing pause.

    `again` is called in its place from the second try on, where one is given: the first may have been carried out, and
    only its answer lost.

    Returns None once `stopping` is set. Raises the last error `give_up_after` seconds after the first. Other errors are
    raised at once.
    """
    pause = FIRST_PAUSE
    began = time.monotonic()
    tries = 0
    while True:
        tries += 1
        try:
            result = function() if tries == 1 or again is None else again()
        except Exception as error:
            if not store.is_unavailable(error):
                raise
            store.reconnect()
            waited = time.monotonic() - began
            if give_up_after is not None and waited > give_up_after:
                raise
            logger.warning("The database can't be reached (for %.0f s): %s", waited, brief(error))
        else:
            if tries > 1:
                logger.info("The database can be reached again (after %.0f s).", time.monotonic() - began)
            return result
        if stopping.wait(pause):
            return None
        pause = min(pause * 2, LONGEST_PAUSE)


def brief(error: BaseException) -> str:
    """What a driver says, on one line."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"
