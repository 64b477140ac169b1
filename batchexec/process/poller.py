"""One DescribeJobs for every hundred Batch jobs that the slots of a process watch."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Any

from batchexec.aws.answers import is_throttling
from batchexec.aws.client import MOST_IDS, BatchClient
from batchexec.aws.failures import essence
from batchexec.aws.statuses import TERMINAL
from batchexec.conf import settings
from jobs.store.patience import Backoff
from jobs.text import one_line

logger = logging.getLogger(__name__)

#: Watches that begin within this many seconds share their first poll.
GATHER = 0.1
#: How much the time between two polls varies, as a part of it, so that many workers
#: don't poll in step.
JITTER = 0.1
#: The longest pause after throttling or errors, in seconds.
LONGEST_PAUSE = 60.0


class Watch:
    """What the polls have found out about one Batch job.

    `changed` is set after a poll that gives cause to look, and when the worker stops.
    `polled` is raised after `detail` is written: read `polled` first, and you miss no
    poll.
    """

    def __init__(self, batch_job_id: str):
        self.batch_job_id = batch_job_id
        self.detail: dict[str, Any] | None = None
        self.polled = 0
        #: Since when AWS Batch doesn't know it, by time.monotonic(), or None.
        self.unknown_since: float | None = None
        self.changed = threading.Event()

    def tell(self, detail: dict[str, Any] | None, now: float) -> None:
        """A poll has ended at `now`, by time.monotonic(): `detail` is what it found."""
        before, self.detail = self.detail, detail
        if detail is not None:
            self.unknown_since = None
        elif self.unknown_since is None:
            self.unknown_since = now
        self.polled += 1
        # While the Batch job just goes on, its slot may sleep.
        if detail is None or detail != before or detail["status"] in TERMINAL:
            self.changed.set()


class Poller:
    """A thread that polls while there is something to watch.

    A poll that fails changes nothing that is known of any Batch job.
    """

    def __init__(self, client: BatchClient):
        self._client = client
        self._watches: dict[int, Watch] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._not_before = 0.0
        self._thread: threading.Thread | None = None
        first = 2 * _interval()
        self._backoff = Backoff(first, max(first, LONGEST_PAUSE))

    def watch(self, batch_job_id: str) -> Watch:
        """Has the Batch job polled from now on, until `unwatch`."""
        watch = Watch(batch_job_id)
        with self._lock:
            self._watches[id(watch)] = watch
            if self._thread is None:
                name = "batchexec-poller"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
        self._wake.set()
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Ends a watch; one that has ended already is left as it is."""
        with self._lock:
            self._watches.pop(id(watch), None)
            if not self._watches:
                self._wake.set()

    def wake_everybody(self) -> None:
        """Has every slot look whether it is still to go on."""
        with self._lock:
            for watch in self._watches.values():
                watch.changed.set()

    def _run(self) -> None:
        pause = 0.0
        self._backoff.reset()
        while True:
            if self._wake.wait(pause):
                # New watches are gathered, and don't wait for a whole interval; but
                # throttling is waited out.
                time.sleep(max(GATHER, self._not_before - time.monotonic()))
                self._wake.clear()
            with self._lock:
                watches = list(self._watches.values())
                if not watches:
                    self._thread = None
                    return
            pause = self._poll(watches)

    def _poll(self, watches: list[Watch]) -> float:
        """Returns the seconds until the next poll."""
        try:
            found = self._describe(sorted({watch.batch_job_id for watch in watches}))
        except Exception as error:
            return self._put_off(error)
        self._backoff.reset()
        now = time.monotonic()
        for watch in watches:
            watch.tell(found.get(watch.batch_job_id), now)
        return _interval()

    def _put_off(self, error: Exception) -> float:
        pause = self._backoff.next()
        self._not_before = time.monotonic() + pause
        kind = "is throttling" if is_throttling(error) else "can't be asked"
        logger.warning("AWS Batch %s; next poll in %.0f s: %s", kind, pause, one_line(error))
        return pause

    def _describe(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        """The essence of each Batch job; the whole JobDetails of a call are dropped."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), MOST_IDS):
            described = self._client.describe(ids[start : start + MOST_IDS])
            for batch_job_id, detail in described.items():
                found[batch_job_id] = essence(detail)
        return found


def _interval() -> float:
    variation = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
    return float(settings.POLL_INTERVAL * variation)
