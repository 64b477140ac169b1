"""How idle workers on PostgreSQL share the news of a job.

PostgreSQL tells all sessions that listen. If every idle worker looked then, one job
would cost as many claims as there are idle workers. So each waits for a moment by
chance before it says that it sets off. All hear all messages in the same order, so they
agree on who was first: that one looks, and the others of its appetite stay where they
are. One that finds a job passes the news on (`more`), because there may be more.

The moments are mostly late ones, by an exponential distribution: of a hundred workers a
few are early, and if only one of them is idle it doesn't wait for long. Multicast
protocols (RFC 5401, section 3.2.2) keep receivers from answering at once in this way.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from typing import Any, Protocol
from zlib import crc32

#: So many others may look at once.
FEW = 3
#: Seconds within which a message reaches all who listen, also on a busy machine.
SPREAD = 0.02
#: How long to wait for a message before looking around, in seconds.
AWAITED = 1.0
#: How often those who listen are counted, in seconds.
COUNTED = 60.0

#: How many words of those who set off are remembered.
REMEMBERED = 100

#: What workers tell each other, with their appetite. Who is awake adds whom it heard of
#: last, and a word of its own. The database's triggers tell news without a word.
HERE, AWAKE, MORE = "here", "awake", "more"

LISTENERS = """
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Hearer(Protocol):
    """A worker: `jobs.process.news.News`."""

    others: int

    @property
    def appetite(self) -> str: ...

    @property
    def awaited(self) -> bool: ...

    def tell(self) -> None: ...


class Hearing:
    """One worker's session that listens on `channel`."""

    def __init__(self, connection: Any, channel: str, hearer: Hearer):
        self._connection = connection
        self._channel = channel
        self._hearer = hearer
        # Who listens is known by a lock that they share.
        self._lock = [crc32(text.encode()) >> 1 for text in (channel, hearer.appetite)]
        self._counted_at = -math.inf
        #: The server's processes of those who listen, without this one's.
        self._others: set[int] = set()
        #: When this one says that it sets off, by time.monotonic(); None: not at all.
        self._due: float | None = None
        #: The last word of one who set off, and those before it.
        self._last = ""
        self._past: deque[str] = deque(maxlen=REMEMBERED)
        self._said = 0

    def run(self, stop: threading.Event) -> None:
        self._ask(f"LISTEN {self._connection.ops.quote_name(self._channel)}")
        self._ask("SELECT pg_advisory_lock_shared(%s, %s)", self._lock)
        self._say(HERE)
        self._hearer.tell()  # for what became ready before this began
        while not stop.is_set():
            if time.monotonic() - self._counted_at > COUNTED:
                self._count()
            self._hear_all(AWAITED if self._due is None else self._due - time.monotonic())
            if self._is_due:
                self._hear_all(0)  # on a busy machine this thread may come late
            if self._is_due:
                self._set_off()

    @property
    def _is_due(self) -> bool:
        return self._due is not None and time.monotonic() >= self._due

    def _hear_all(self, seconds: float) -> None:
        """All messages that are there; else the first within the given seconds."""
        driver = self._connection.connection
        for notify in list(driver.notifies(timeout=max(0.0, seconds), stop_after=1)):
            self._hear(notify)

    def _hear(self, notify: Any) -> None:
        word, appetite, before, own = (*notify.payload.split(" "), "", "", "")[:4]
        if word and appetite != self._hearer.appetite:
            return
        if word == HERE:
            self._know({*self._others, notify.pid})
        elif word == AWAKE:
            self._hear_of_one_who_set_off(notify.pid == self._pid, before, own)
        elif not self._hearer.awaited or self._hearer.others < FEW:
            self._hearer.tell()  # at once, or as soon as it has a slot free
        elif self._due is None:
            self._due = time.monotonic() + moment(self._hearer.others)

    def _hear_of_one_who_set_off(self, is_own: bool, before: str, own: str) -> None:
        """It is the first if it had heard of everyone who set off before; else it comes
        too late, for news that somebody else has answered.
        """
        if before in self._past:
            return
        self._past.append(self._last)
        self._last = own
        self._due = None
        if is_own:
            self._hearer.tell()

    def _set_off(self) -> None:
        self._due = None
        if self._hearer.others < FEW or not self._hearer.awaited:
            self._hearer.tell()
            return
        self._said += 1
        self._say(AWAKE, self._last, f"{self._pid}.{self._said}")
        if not self._hearer.awaited:
            # It began to look by itself just then, and may have what it looks for.
            self._say(MORE)

    def _count(self) -> None:
        self._counted_at = time.monotonic()
        self._know({pid for (pid,) in self._ask(LISTENERS, self._lock)})

    def _know(self, pids: set[int]) -> None:
        self._others = pids - {self._pid}
        self._hearer.others = len(self._others)

    @property
    def _pid(self) -> int:
        return int(self._connection.connection.info.backend_pid)

    def _say(self, word: str, *rest: str) -> None:
        say(self._connection, self._channel, word, self._hearer.appetite, *rest)

    def _ask(self, statement: str, parameters: Any = None) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []


def say(connection: Any, channel: str, *words: str) -> None:
    """Tells all who listen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, " ".join(words)])


def moment(others: int) -> float:
    """Seconds, by chance, that one of so many and itself waits before it sets off."""
    if others < FEW:
        return 0.0
    steepness = math.log(others + 1) + 1
    chance = random.random()  # noqa: S311 (nothing to be kept secret)
    share = math.log1p(chance * math.expm1(steepness)) / steepness
    return SPREAD * math.log(others + 1) * share
