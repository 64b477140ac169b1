"""The plugins that come with the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.execution.reports import ErrorReports
from jobs.lifecycle import Plugin

if TYPE_CHECKING:
    from jobs.worker import Worker

__all__ = ["ClearLocks", "ErrorReports"]


class ClearLocks(Plugin):
    """Lets go of every job that a stopping worker still holds.

    The next worker then doesn't wait for the lease to expire.
    """

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        try:
            return proceed()
        finally:
            worker.let_go_of_all()
