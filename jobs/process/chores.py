"""What a worker does once in a while, and what can wait: no job waits for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from jobs.logs import get_logger
from jobs.store import limits
from jobs.store.base import Store
from jobs.store.patience import Complaint

logger = get_logger(__name__)


class Chore(ABC):
    """Done every `interval` seconds, the first time at `due`, by time.monotonic().

    `complaint` is logged when it can't be done, and has a place for the error.
    """

    def __init__(self, interval: float, due: float, complaint: str):
        self._interval = interval
        self._next = due
        self._complaint = Complaint(logger, complaint)

    def do_if_due(self) -> None:
        """Raises only what says that the database is away.

        A worker waits for no table that somebody has locked, nor for the end of what
        has piled up: the rest follows with its next maintenance.
        """
        began = time.monotonic()
        if began < self._next:
            return
        self._next = began + self._interval
        try:
            is_more = self._do()
        except Exception as error:
            in_vain = time.monotonic() - began >= limits.PATIENCE
            if self._store.is_unavailable(error) and not in_vain:
                raise
            self._complaint.make(error)
            return
        self._complaint.settle()
        if is_more:
            self._next = time.monotonic()

    @property
    @abstractmethod
    def _store(self) -> Store[Any]:
        """What knows which errors say that the database is away."""

    @abstractmethod
    def _do(self) -> bool:
        """Waits for a lock no longer than `limits.PATIENCE`.

        Returns whether there may be more to do.
        """
