"""A write around which somebody else's code runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Once:
    """A write that happens at most once, however often the code around it calls it."""

    def __init__(self, write: Callable[[], bool]):
        self._write = write
        self.result: bool | None = None
        self.raised: BaseException | None = None

    def __call__(self, *arguments: Any) -> bool:
        if self.result is None:
            try:
                self.result = self._write()
            except BaseException as error:
                self.raised = error
                raise
        return self.result
