"""Writing an outcome: once, and for as long as the database is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.store.patience import until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: For how many seconds an outcome is offered to a database that can't be reached. The
#: work of hours is not given up in minutes.
PATIENCE = 3600.0


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


def offer(job: AbstractJob, write: Callable[[], bool], carried_out: Callable[[], bool]) -> bool:
    """Offers the write until the database can be reached.

    A repeated write that finds nothing to change asks `carried_out` whether the earlier
    one, whose answer was lost, was carried out.
    """

    def again() -> bool:
        return write() or carried_out()

    store = transitions.store_of(job)
    recorded = until_available(store, write, threading.Event(), give_up_after=PATIENCE, again=again)
    return bool(recorded)
