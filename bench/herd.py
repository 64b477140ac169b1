"""Many idle workers and one job: how many statements does the news of it cause?

PostgreSQL's own log of statements says so.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from bench import processes
from bench.databases import Database
from bench.workers import wait_for_listeners

#: No worker looks by itself while it is measured.
QUIET = 600.0
#: Seconds after a job until its statements are counted.
SETTLES = 2.0
#: What statements of workers are about: jobs, or news of them.
TOPICS = re.compile("jobs_job|pg_notify")
STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)")


def run(database: Database, log: Path, workers: int, jobs: int) -> dict[str, Any]:
    """How many claims, and other statements, each of `jobs` single jobs causes."""
    options = ("--processes", str(workers), "--sleep-delay", f"{QUIET:g}")
    database.measure("logged")
    with processes.running(database, "jobworker", *options):
        wait_for_listeners(database, workers)
        time.sleep(SETTLES)
        claims, others = [], []
        for _ in range(jobs):
            before = log.stat().st_size
            database.measure("emptied", jobs_number=1)
            time.sleep(SETTLES)
            found = _statements(log, before)
            claims.append(sum(map(_is_claim, found)))
            others.append(len(found) - claims[-1])
    return {"workers": workers, "claims": claims, "others": others}


def _statements(log: Path, start: int) -> list[str]:
    """The statements in the log from that byte on, without our own."""
    with log.open() as file:
        file.seek(start)
        found = STATEMENT.findall(file.read().replace("\n\t", " "))
    return [text for text in found if TOPICS.search(text) and not _is_ours(text)]


def _is_claim(text: str) -> bool:
    return "SKIP LOCKED" in text


def _is_ours(text: str) -> bool:
    """Whether the benchmark sent it: it enqueues, and looks whether the job is done."""
    return text.startswith("INSERT") or "/* bench */" in text
