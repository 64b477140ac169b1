"""Hostile rows where jobs are executed elsewhere: handed over to AWS Batch by real
workers, and given to `runjob` one by one.

Every row costs a process of its own, so there are fewer of them than where a worker
performs them itself.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

import jobs
from jobs.states import State
from tests.fuzz.budget import ROWS, SEED, count
from tests.fuzz.rows import hostile_row, write
from tests.fuzz.test_rows import ENOUGH, OPTIONS, has, keys, said_of
from tests.processes import Process, wait_for
from tests.samples import Append

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not ROWS, reason="make fuzz sets FUZZ_ROWS"),
    pytest.mark.skipif(
        connection.vendor not in ("sqlite", "mongodb"), reason="columns that hold any type"
    ),
]

#: Of the rows that are written where a worker performs them. Many are never submitted,
#: because the worker itself finds them broken.
HANDED_OVER, RUN = ROWS // 2, ROWS // 5
#: Processes at a time.
AT_ONCE = 4
#: What `runjob` ends with, by its documentation, while the database is there.
STATUSES = {0, 1, 3, 4}


def written(random: Random, number: int) -> None:
    for _ in range(number):
        while not write(hostile_row(random)):
            count("rows that the database refused")


@contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    """For the containers, which localbatch starts with this process's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


def test_a_hostile_row_costs_no_worker_that_hands_over(
    batch: Any, start: Callable[..., Process], tmp_path: Path
):
    random, performed = Random(SEED), tmp_path / "good"
    with in_environment(OPTIONS):
        workers = [
            start("jobworker", "--batch", "--name", name, "--concurrency", "20", **OPTIONS)
            for name in ("fuzz-one", "fuzz-two")
        ]

        def alive() -> bool:
            for worker in workers:
                assert worker.popen.poll() is None, worker.output[-5000:]
            return True

        written(random, HANDED_OVER)
        count("hostile rows for AWS Batch", HANDED_OVER)
        jobs.enqueue(Append(str(performed)), queue="last", priority=0)
        wait_for(lambda: alive() and performed.exists(), ENOUGH, "the good job is performed")
        for state in (State.READY, State.RUNNING, State.DETACHED):
            with said_of(state):
                wait_for(lambda s=state: alive() and not has(s), ENOUGH, f"no row stays {state}")
        count("Batch jobs", len(batch.calls()["submissions"]))
        for worker in workers:
            worker.send(signal.SIGTERM)
        assert [worker.wait() for worker in workers] == [0, 0], workers[0].output[-3000:]


def epochs(random: Random) -> dict[str, str]:
    """As a container has it, or by hand."""
    odd = ["", " 0 ", "1", "-1", "0.5", "first", "9" * 5000, "é"]
    return random.choice([{}, {"JOB_EPOCH": "0"}, {"JOB_EPOCH": random.choice(odd)}])


def test_a_hostile_row_ends_runjob_as_its_documentation_says(
    start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
):
    random = Random(SEED)
    monkeypatch.delenv("JOB_EPOCH", raising=False)
    written(random, RUN)
    ids = iter([*(str(key) for key in keys()), "", "x" * 1000, "-1", "9" * 5000, "\udcff"])
    while portion := list(islice(ids, AT_ONCE)):
        running = [start("runjob", "--", pk, **OPTIONS, **epochs(random)) for pk in portion]
        for process in running:
            status = process.wait(ENOUGH)
            assert status in STATUSES, (status, process.popen.args, process.output[-5000:])
            count(f"runs of runjob that ended with {status}")
    # What the last of them left running is nobody's: a worker ends it.
    worker = start("jobworker", "--queues", "of-nobody", **OPTIONS)
    with said_of(State.RUNNING):
        wait_for(lambda: not has(State.RUNNING), ENOUGH, "no row stays running")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, worker.output[-3000:]
