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


def until_available(
    store: Store[Any], function: Callable[[], T], stopping: threading.Event, *, give_up_after: float | None = None
) -> T | None:
    """Calls `function` again, with a growing pause, while the database can't be reached.

    Returns None once `stopping` is set. Raises the last error `give_up_after` seconds after the first. Other errors are
    raised at once.
    """
    pause = FIRST_PAUSE
    began = time.monotonic()
    while True:
        try:
            return function()
        except store.unavailable as error:
            store.reconnect()
            waited = time.monotonic() - began
            if give_up_after is not None and waited > give_up_after:
                raise
            logger.warning("The database can't be reached (for %.0f s): %s", waited, error)
        if stopping.wait(pause):
            return None
        pause = min(pause * 2, LONGEST_PAUSE)
