"""Several workers on one queue: in processes, or in threads of one process."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from bench import processes
from bench.beside import Beside
from bench.databases import Database
from bench.peers.catalogue import Peer

#: How long workers may take to start, in seconds.
START = 300.0
NUMBERS = (1, 2, 4, 8)


def perform(
    database: Database, beside: Beside, peer: Peer | None, number: int, threads: bool, jobs: int
) -> dict[str, Any]:
    """Jobs per second of `number` workers, of this queue or the peer's.

    They are idle when the jobs come, so their start isn't timed. With `threads` they
    are slots of one process.
    """
    options = ("--concurrency", str(number)) if threads else ()
    with ExitStack() as stack:
        for _ in range(1 if threads else number):
            if peer is None:
                stack.enter_context(processes.running(database, "jobworker", *options))
            else:
                stack.enter_context(beside.working(database, peer, *options))
        wait_for_listeners(database, 1 if threads else number)
        if peer is None:
            return database.measure("emptied", jobs_number=jobs)
        return beside.measure(database, peer, "emptied", jobs_number=jobs)


def wait_for_listeners(database: Database, number: int) -> None:
    """Waits until that many workers of PostgreSQL wait for news, and none has work."""
    database.measure("heard", number=number, seconds=START)
