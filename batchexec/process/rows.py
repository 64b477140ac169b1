"""One statement for the rows of all jobs that the slots of a process watch.

A container's outcome is in its job's row tens of seconds before AWS Batch says that it
has ended. So the row is asked often, and frees the slot.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchexec.conf import settings
from batchexec.process.crew import Crew
from batchexec.process.watches import Watch
from jobs.conf import settings as jobs_settings
from jobs.logs import get_logger
from jobs.store import store_for
from jobs.store.patience import brief

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: What is read of a row.
COLUMNS = ("epoch", "state", "locked_by", "runner", "heartbeat_at")
#: A runner that has been silent for this part of LEASE may be gone. It beats every
#: quarter of it.
SILENT = 0.5
#: Rows of one statement at most: databases limit parameters.
AT_ONCE = 5000
#: The pause between two looks, as parts of POLL_INTERVAL: a slot is free within it.
SHORTEST, LONGEST = 0.7, 0.9


class Rows:
    """Reads the rows of the watched jobs. A look that fails changes nothing."""

    def __init__(self, database: Crew):
        self._database = database
        self._is_away = False

    def look(self, watches: list[Watch]) -> float:
        """Looks once; returns the seconds until the next look."""
        by_model: dict[type[AbstractJob], list[Watch]] = defaultdict(list)
        for watch in watches:
            if watch.job is not None:
                by_model[type(watch.job)].append(watch)
        try:
            for model, group in by_model.items():
                for start in range(0, len(group), AT_ONCE):
                    self._database.do(_tell, model, group[start : start + AT_ONCE])
            self._is_away = False
        except Exception as error:
            if not self._is_away:
                self._is_away = True
                logger.warning("The rows of jobs in Batch can't be read now: %s", brief(error))
        part = random.uniform(SHORTEST, LONGEST)  # noqa: S311 (no secret)
        return float(settings.POLL_INTERVAL * part)


def _tell(model: type[AbstractJob], watches: Sequence[Watch]) -> None:
    store = store_for(model)
    keys = list({watch.job.pk for watch in watches if watch.job is not None})
    try:
        rows: dict[Any, AbstractJob] = {
            row.pk: row for row in store.glance({"pk__in": keys}, COLUMNS, len(keys))
        }
        silent_since = store.now() - dt.timedelta(seconds=SILENT * jobs_settings.LEASE)
    except Exception as error:
        if store.is_unavailable(error):
            store.reconnect()
        raise
    for watch in watches:
        if watch.job is not None:
            watch.tell_row(rows.get(watch.job.pk), silent_since)
