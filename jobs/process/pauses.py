"""What is paused, as a worker knows it."""

from __future__ import annotations

import math
import time
from typing import Any

from jobs.logs import get_logger
from jobs.records import Pause
from jobs.store import limits, store_for
from jobs.store.patience import Complaint
from jobs.store.reserver import Paused

logger = get_logger(__name__)

#: A worker reads what is paused this often, in seconds: so long after it was paused, it
#: may still begin a job.
INTERVAL = 5.0
#: Pauses that are read at most.
MOST = 10_000


class Pauses:
    def __init__(self) -> None:
        self.now = Paused()
        self._next = -math.inf
        self._were_read = False
        self._complaint = Complaint(
            logger,
            "What is paused can't be read, so what was read last holds, at first nothing: %s",
        )

    def refresh(self) -> None:
        """Reads them, if that is due. Raises only what says that the database is
        away.
        """
        began = time.monotonic()
        if began < self._next:
            return
        store = store_for(Pause)
        try:
            with limits.within(store, limits.PATIENCE):
                found = store.find({}, MOST)
        except Exception as error:
            in_vain = time.monotonic() - began >= limits.PATIENCE
            if store.is_unavailable(error) and not in_vain:
                raise
            if not self._were_read and not _answers(store.connection):
                raise  # before any job is begun, a database that is away is waited for
            self._complaint.make(error)
        else:
            self._complaint.settle()
            self._were_read = True
            of = {kind: frozenset(one.value for one in found if one.kind == kind) for kind in KINDS}
            self.now = Paused(of[Pause.Kind.QUEUE], of[Pause.Kind.NAME])
        self._next = time.monotonic() + INTERVAL


def _answers(connection: Any) -> bool:
    try:
        connection.ensure_connection()
        return bool(connection.is_usable())
    except Exception:
        return False


KINDS = (Pause.Kind.QUEUE, Pause.Kind.NAME)
