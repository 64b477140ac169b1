"""One DescribeJobs for every hundred Batch jobs, whoever waits for them."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Any

from batchexec.aws.client import MOST_IDS, BatchClient, is_throttling
from batchexec.aws.failures import essence
from batchexec.conf import settings
from batchexec.upkeep.sweeper import TERMINAL

logger = logging.getLogger(__name__)

#: Jobs that are added within so many seconds share their first poll.
GATHER = 0.1
#: How much the time between two polls varies, as a part of it: so that many workers don't poll in step.
JITTER = 0.1
#: The longest pause after throttling or errors, in seconds.
LONGEST_PAUSE = 60.0


class Watch:
    """What is known of one Batch job. `changed` is set after a poll that gives cause to look, and when the worker stops.

    `polled` is raised after `detail` is written: whoever reads it before `detail` misses nothing.
    """

    def __init__(self, batch_job_id: str):
        self.batch_job_id = batch_job_id
        self.detail: dict[str, Any] | None = None
        self.polled = 0
        #: When AWS Batch began not to know it, by time.monotonic(); None while it does.
        self.unknown_since: float | None = None
        self.changed = threading.Event()


class Poller:
    """A thread that polls while there is something to watch. A poll that fails changes nothing that is known of any job."""

    def __init__(self, client: BatchClient):
        self._client = client
        self._watches: dict[int, Watch] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._not_before = 0.0
        self._thread: threading.Thread | None = None

    def watch(self, batch_job_id: str) -> Watch:
        watch = Watch(batch_job_id)
        with self._lock:
            self._watches[id(watch)] = watch
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batchexec-poller", daemon=True)
                self._thread.start()
        self._wake.set()
        return watch

    def unwatch(self, watch: Watch) -> None:
        with self._lock:
            self._watches.pop(id(watch), None)
            if not self._watches:
                self._wake.set()

    def wake_everybody(self) -> None:
        with self._lock:
            for watch in self._watches.values():
                watch.changed.set()

    def _run(self) -> None:
        pause = 0.0
        while True:
            if self._wake.wait(pause):
                # New jobs are gathered, and don't wait for a whole interval; but throttling is waited out.
                time.sleep(max(GATHER, self._not_before - time.monotonic()))
                self._wake.clear()
            with self._lock:
                watches = list(self._watches.values())
                if not watches:
                    self._thread = None
                    return
            pause = self._poll(watches, pause)

    def _poll(self, watches: list[Watch], last_pause: float) -> float:
        interval: float = settings.POLL_INTERVAL * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
        try:
            found = self._describe(sorted({watch.batch_job_id for watch in watches}))
        except Exception as error:
            pause: float = min(max(last_pause, interval) * 2, LONGEST_PAUSE)
            kind = "is throttling" if is_throttling(error) else "can't be asked"
            self._not_before = time.monotonic() + pause
            logger.warning("AWS Batch %s; next poll in %.0f s: %s", kind, pause, error)
            return pause
        now = time.monotonic()
        for watch in watches:
            before, watch.detail = watch.detail, found.get(watch.batch_job_id)
            if watch.detail is not None:
                watch.unknown_since = None
            elif watch.unknown_since is None:
                watch.unknown_since = now
            watch.polled += 1
            # A job that just goes on needn't wake its slot.
            if watch.detail is None or watch.detail != before or watch.detail["status"] in TERMINAL:
                watch.changed.set()
        return interval

    def _describe(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), MOST_IDS):
            described = self._client.describe(ids[start : start + MOST_IDS])
            found.update((batch_job_id, essence(detail)) for batch_job_id, detail in described.items())
        return found
