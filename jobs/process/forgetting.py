"""Jobs that were kept after their success are deleted when the settings say so."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.execution.notes import forget_jobs
from jobs.process import chores
from jobs.records import FailedAttempt, Progress
from jobs.states import State
from jobs.store import store_for
from jobs.store.limits import waiting

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

#: They are looked for this often, in seconds.
INTERVAL = 60.0
#: Rows that are written late, and clocks that are set, are looked for this far back.
OVERLAP = dt.timedelta(hours=1)
#: Jobs whose failed attempts are deleted at once.
BATCH = 500
#: Which jobs each setting is about.
KEPT = {"KEEP_SUCCEEDED_FOR": {"result": ""}, "KEEP_RESULTS_FOR": {"result__gt": ""}}


class Forgetting(chores.Chore):
    """Of one table of jobs."""

    def __init__(self, model: type[AbstractJob]):
        text = "Jobs that were kept after their success can't be deleted, so it is tried later: %s"
        super().__init__(INTERVAL, -math.inf, text)
        self._model = model
        #: Up to which end the rows have been looked at, by the setting.
        self._forgotten: dict[str, dt.datetime] = {}

    @property
    def _store(self) -> Store[Any]:
        return store_for(self._model)

    def _do(self) -> bool:
        for setting, which in KEPT.items():
            if kept := getattr(settings, setting):
                cutoff = self._store.now() - dt.timedelta(seconds=kept)
                with self._waiting_for_nobody():
                    self._delete(setting, {"finished_at__lt": cutoff, **which})
                self._forgotten[setting] = cutoff
        return False

    @contextmanager
    def _waiting_for_nobody(self) -> Iterator[None]:
        """Routers may have each of the tables in a database of its own."""
        stores: list[Store[Any]] = [self._store, store_for(FailedAttempt), store_for(Progress)]
        with ExitStack() as limits:
            for store in {store.alias: store for store in stores}.values():
                limits.enter_context(waiting(store))
            yield

    def _delete(self, setting: str, which: dict[str, Any]) -> None:
        old = {"state": State.SUCCEEDED, **which}
        # Those before have been looked at: of the others, whose rows are kept for
        # longer, there may be a million.
        if since := self._forgotten.get(setting):
            old["finished_at__gte"] = since - OVERLAP
        while ids := self._store.ids({**old, "attempts__gt": 0}, BATCH):
            forget_jobs(self._model, ids)
            self._store.delete_many({**old, "pk__in": ids})
        self._store.delete_many(old)
