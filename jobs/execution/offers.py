"""An outcome is written, however long the database is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.logs import get_logger
from jobs.store.patience import brief, until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.row_writes import RowWrites

    #: Asked right before an outcome is written: what writes it, if not the store.
    Through = Callable[[], RowWrites[Any] | None]

logger = get_logger(__name__)

#: For how many seconds an outcome is offered to a database that can't be reached. The
#: work of hours is not given up in minutes.
PATIENCE = 3600.0

#: Never set: nobody stops an outcome from being offered.
_never = threading.Event()


def offer(
    job: AbstractJob,
    write: Callable[..., bool],
    carried_out: Callable[[], bool],
    through: Through | None = None,
) -> bool:
    """Offers the write until the database can be reached.

    A repeated write that finds nothing to change asks `carried_out` whether the earlier
    one, whose answer was lost, was carried out. Only the first goes `through` what does
    more than the write, because the rest of that may be what fails.
    """
    store = transitions.store_of(job)

    def first() -> bool:
        if through is None or (writes := through()) is None:
            return write()
        try:
            return write(through=writes)
        except Exception as error:
            if store.is_unavailable(error):
                raise
            text = "The outcome of job %s is written by itself, because more failed: %s"
            logger.info(text, job, brief(error))
            return again()

    def again() -> bool:
        return write() or carried_out()

    recorded = until_available(store, first, _never, give_up_after=PATIENCE, again=again)
    return bool(recorded)
