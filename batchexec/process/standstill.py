"""What keeps the jobs of a process from being submitted, though no job is to blame.

Credentials that expired, a right that is missing, a queue that is disabled: it is said
once for all the jobs that wait, and one slot at a time tries again for all.
"""

from __future__ import annotations

import threading
import time

from jobs.logs import get_logger
from jobs.store.patience import Backoff
from jobs.text import one_line

logger = get_logger(__name__)

#: Every call of the process, whatever it asks: credentials, the network.
EVERYTHING = "everything"
#: Submissions to the settings' queue, with the settings' definition.
SETTINGS = "the settings' queue and definition"

#: The pause before one slot tries again: the first, and the longest, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: After how many seconds the same thing is said again.
SAY_AGAIN_AFTER = 300.0


class Standstill:
    """The reasons of one process, by what they stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: dict[str, _Stop] = {}
        self._said: dict[str, float] = {}

    def stop(self, what: str, reason: str) -> None:
        """Has `what` wait, because of `reason`, a sentence."""
        with self._lock:
            stop = self._stops.get(what)
            if stop is None:
                stop = self._stops[what] = _Stop(Backoff(FIRST_PAUSE, LONGEST_PAUSE))
                stop.until = time.monotonic() + stop.backoff.next()
            stop.reason = reason
        self.say(what, f"Jobs wait, at no cost, until this is mended: {reason}")

    def reason(self, *what: str) -> str:
        """Why one of these waits; empty if none does."""
        with self._lock:
            return next((self._stops[key].reason for key in what if key in self._stops), "")

    def wait(self, *what: str) -> float:
        """How many seconds to wait before you ask again; 0 means now.

        While something is stopped, one of those who come gets a 0 for each pause.
        """
        with self._lock:
            stops = [self._stops[key] for key in what if key in self._stops]
            now = time.monotonic()
            seconds = max((stop.until - now for stop in stops), default=0.0)
            if seconds > 0:
                return seconds
            for stop in stops:
                stop.until = now + stop.backoff.next()
            return 0.0

    def go_on(self, *what: str) -> None:
        """AWS Batch has taken a submission that these would have stopped."""
        with self._lock:
            ended = [key for key in what if self._stops.pop(key, None) is not None]
            for key in ended:
                self._said.pop(key, None)
        if ended:
            logger.info("Jobs are submitted again.")

    def say(self, subject: str, text: str) -> None:
        """Logs a warning about `subject`, unless that was just done for another job."""
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(subject, -SAY_AGAIN_AFTER) < SAY_AGAIN_AFTER:
                return
            self._said[subject] = now
        logger.warning("%s", one_line(text))


class _Stop:
    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.reason = ""
        self.until = 0.0
