from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.lifecycle import Plugin

if TYPE_CHECKING:
    from jobs.worker import Worker


class ClearLocks(Plugin):
    """A worker that stops lets go of every job it still holds, so that the next one needn't wait for the lease to expire."""

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        try:
            return proceed()
        finally:
            worker.let_go_of_all()
