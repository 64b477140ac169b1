"""What is paused, as a worker knows it."""

from __future__ import annotations

import math
import time

from jobs.logs import get_logger
from jobs.records import Pause
from jobs.store import store_for
from jobs.store.patience import brief
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
        self._complained = False

    def refresh(self) -> None:
        """Reads them, if that is due. Raises only what says that the database is
        away.
        """
        if time.monotonic() < self._next:
            return
        store = store_for(Pause)
        try:
            found = store.find({}, MOST)
        except Exception as error:
            if store.is_unavailable(error):
                raise
            if not self._complained:  # once, until it has worked again
                text = "What is paused can't be read, so what was read last holds: %s"
                logger.warning(text, brief(error))
            self._complained = True
        else:
            self._complained = False
            of = {kind: frozenset(one.value for one in found if one.kind == kind) for kind in KINDS}
            self.now = Paused(of[Pause.Kind.QUEUE], of[Pause.Kind.NAME])
        self._next = time.monotonic() + INTERVAL


KINDS = (Pause.Kind.QUEUE, Pause.Kind.NAME)
