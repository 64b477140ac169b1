"""From one job straight on to the next: an outcome and a claim in one step."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.store.row_writes import Conditions, RowWrites

if TYPE_CHECKING:
    from jobs.store.base import Store
    from jobs.store.reserver import Reserver


class Onward(RowWrites[Any]):
    """Writes one outcome, and has the next job claimed for `reserver` in the same step.

    What was claimed doesn't depend on whether the outcome still was the executor's to
    write.
    """

    def __init__(self, store: Store[Any], reserver: Reserver):
        self._store = store
        self._reserver = reserver
        #: When the step began, by time.monotonic(); None: it didn't.
        self.began: float | None = None
        #: None: the answer is not known, so a job may have been claimed.
        self.claimed: list[Any] | None = None

    def now(self) -> dt.datetime:
        return self._store.now()

    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        return self._step(pk, where, changes)

    def delete(self, pk: Any, where: Conditions) -> bool:
        return self._step(pk, where, None)

    def _step(self, pk: Any, where: Conditions, changes: Mapping[str, Any] | None) -> bool:
        self.began = time.monotonic()
        ended, self.claimed = self._store.end_and_claim(pk, where, changes, self._reserver)
        return ended
