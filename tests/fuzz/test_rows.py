"""Hostile rows, with real workers running over them: each row costs itself, and nothing
else.
"""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pprint import pformat
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

import jobs
from jobs.models import Job
from jobs.states import State
from jobs.store import store_for
from tests.fuzz.budget import ROWS, SEED, count
from tests.fuzz.rows import hostile_row, stored, write
from tests.processes import Process, wait_for
from tests.samples import Append

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not ROWS, reason="make fuzz sets FUZZ_ROWS"),
    pytest.mark.skipif(
        connection.vendor not in ("sqlite", "mongodb"), reason="columns that hold any type"
    ),
]

#: Rows written at once, before the workers get time to work them off.
PORTION = 250
#: Seconds until an odd lease is looked for, twice, on a busy machine.
ENOUGH = float(os.environ.get("FUZZ_PATIENCE") or 400)
#: Rows whose pages are asked for.
LOOKED_AT = 300
OPTIONS = {
    "JOBS_LEASE": "5",
    "JOBS_MAX_RUN_TIME": "5",
    "JOBS_MAX_ATTEMPTS": "2",
    "JOBS_DEPLOY_WINDOW": "5",
}


def has(state: State) -> bool:
    return bool(store_for(Job).ids({"state": str(state)}, 1))


def number_of(state: State) -> int:
    return store_for(Job).count({"state": str(state)}, 10_000)


@contextmanager
def said_of(state: State) -> Iterator[None]:
    """With the rows in that state, if the body fails."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{pformat(stored(state))}") from None


def exits(*arguments: str) -> None:
    """`manage.py jobs …` ends as its documentation says, with JSON where that is asked
    for.
    """
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command("jobs", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = err.getvalue()[-2000:]
    assert status in (0, 1), (arguments, status, said)
    assert "Error: " not in said, (arguments, said)
    if "--json" in arguments:
        json.loads(out.getvalue())
    count("commands")


def answers(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code < 500, path
    count("pages of the admin")


def keys() -> list[Any]:
    store = store_for(Job)
    if connection.vendor == "mongodb":
        return [document["_id"] for document in store.collection.find({}, {"_id": 1})]
    return list(Job.objects.values_list("pk", flat=True))


@pytest.fixture
def workers(start: Callable[..., Process]) -> list[Process]:
    return [
        start("jobworker", "--name", "fuzz-one", **OPTIONS),
        start("jobworker", "--name", "fuzz-two", "--concurrency", "5", **OPTIONS),
    ]


def test_a_hostile_row_costs_no_worker_and_no_other_row(
    workers: list[Process], tmp_path: Path, admin_client: Client
):
    def alive() -> bool:
        for worker in workers:
            assert worker.popen.poll() is None, worker.output[-5000:]
        return True

    random, performed = Random(SEED), tmp_path / "good"
    written = 0
    while written < ROWS:
        for _ in range(min(PORTION, ROWS - written)):
            while not write(hostile_row(random)):
                count("rows that the database refused")
            written += 1
            count("hostile rows")
        wait_for(lambda: alive() and number_of(State.READY) < PORTION, ENOUGH, "rows are taken")

    jobs.enqueue(Append(str(performed)), queue="last", priority=0)
    wait_for(lambda: alive() and performed.exists(), ENOUGH, "the good job is performed")
    with said_of(State.RUNNING):
        wait_for(lambda: alive() and not has(State.RUNNING), ENOUGH, "no row stays running")
    exits("check", "--json")
    exits("stats", "--json")
    exits("stats")
    for state in ("", *State.values):
        chosen = ["--state", state] if state else []
        exits("list", "--limit", "1000", *chosen)
        exits("list", "--limit", "1000", "--json", *chosen)
        answers(admin_client, f"{reverse('admin:jobs_job_changelist')}?state__exact={state}")
    answers(admin_client, f"{reverse('admin:jobs_job_changelist')}?q=fuzz&o=1.2.3.4.5.6.7.8")
    left = keys()
    for key in random.sample(left, min(LOOKED_AT, len(left))):
        exits("show", str(key))
        exits("show", "--json", str(key))
        answers(admin_client, reverse("admin:jobs_job_change", args=[key]))
    alive()
    for worker in workers:
        worker.send(signal.SIGTERM)
    assert [worker.wait() for worker in workers] == [0, 0], workers[0].output[-3000:]
