"""The limit of pick-up: the driver alone as an idle worker.

It hears of a job, claims it, writes the line and deletes it:

    python -m bench.waiting PATH

It hears as the queue's listener does: by LISTEN on PostgreSQL, and on SQLite by a look
at the file's version fifty times a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import django

#: The databases whose driver is measured like that.
DATABASES = ("sqlite", "postgres")


def wait(path: str) -> None:
    """Writes the time of each job to `path`, until the process is ended."""
    from bench import bare

    driver = bare.connect()
    assert isinstance(driver, bare.Sql)
    for _ in _news(driver.raw):
        while (pk := driver.claim()) is not None:
            with open(path, "a") as file:
                file.write(f"{time.time()}\n")
            driver.delete(pk)


def _news(raw: Any) -> Iterator[None]:
    """One for each time that there may be a job."""
    from django.db import connection

    from jobs.models import Job
    from jobs.store.sql import READY, SQLITE_LOOK, channel_of

    if connection.vendor == "sqlite":
        seen = None
        while True:
            version = raw.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                yield
            time.sleep(SQLITE_LOOK)
    raw.execute(f"LISTEN {connection.ops.quote_name(channel_of(Job._meta.db_table, READY))}")
    yield  # for what was enqueued before
    while True:
        for _ in raw.notifies(stop_after=1):
            pass
        yield


if __name__ == "__main__":
    django.setup()
    wait(sys.argv[1])
