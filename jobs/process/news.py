"""What an idle worker waits for: the news that there may be something to do."""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import Any


class News:
    """Told by the listener, or by whoever stops the worker; the worker waits for it.

    `appetite` is anything that is equal for workers that would take the same jobs.
    """

    def __init__(self, appetite: Any):
        self._told = threading.Event()
        #: The same in every process, and short.
        self.appetite = sha256(repr(appetite).encode()).hexdigest()[:12]
        #: Whether the worker has nothing to do but wait.
        self.awaited = False
        #: How many other workers of the same appetite listen, as far as is known.
        self.others = 0

    def tell(self) -> None:
        self._told.set()

    def forget(self) -> None:
        """What was told until now. Call it before you look, not afterwards."""
        self._told.clear()

    def wait(self, seconds: float) -> bool:
        """Returns whether there were news within `seconds`."""
        self.awaited = True
        try:
            return self._told.wait(seconds)
        finally:
            self.awaited = False
