"""What the queue asks of the database all day is served by an index, in its order,
whatever else is in the table.

Several queues at once are several ranges of the index: to merge them, the database may
sort, or read the index of all queues and skip.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models
from django.utils import timezone

import jobs
from jobs import transitions
from jobs.models import Job, State
from jobs.operator import actions, errors, reports
from jobs.operator.bulk import Selection
from jobs.operator.filters import Filter
from jobs.operator.lists import JobList
from jobs.process.onward import Onward
from jobs.process.reaper import Reaper
from jobs.store import store_for
from tests.lanes import SHORT, lane

pytestmark = pytest.mark.django_db(transaction=True)

on_mongodb = pytest.mark.skipif(connection.vendor != "mongodb", reason="MongoDB's plans")
on_sql = pytest.mark.skipif(connection.vendor not in ("postgresql", "sqlite"), reason="SQL plans")

#: Of fewer, the other databases would read all.
ROWS = 5_000 if SHORT and connection.vendor == "sqlite" else 20_000
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


def reaper() -> Reaper:
    return Reaper(Job, jobs.Worker().recorder)


def go_on() -> None:
    worker = jobs.Worker()
    job = Job.objects.reserve(worker)
    onward = Onward(store_for(Job), worker)
    assert transitions.succeed(job, through=onward)
    assert len(onward.claimed) == 1


STEPS: dict[str, tuple[str, Callable[[], Any]]] = {
    "claim": ("jobs_job_claim", lambda: Job.objects.reserve(jobs.Worker())),
    "claim of one queue": (
        "jobs_job_claim_queue",
        lambda: Job.objects.reserve(jobs.Worker(queues=["queue 1"])),
    ),
    "claim of some priorities": (
        "jobs_job_claim",
        lambda: Job.objects.reserve(jobs.Worker(min_priority=2, max_priority=7)),
    ),
    "from one job to the next": ("jobs_job_claim", go_on),
    "promotion": ("jobs_job_due", lambda: reaper().promote()),
    "reaping": ("jobs_job_lease", lambda: reaper().reap()),
    "pruning": ("jobs_job_ended", lambda: actions.prune(MINUTE)),
    "counting": ("jobs_job_claim_queue", reports.counts),
    "the oldest that is due": ("jobs_job_due", reports.stats),
    "release": ("jobs_job_locked_by", lambda: reaper().let_go_of_all("worker 3")),
}


def fill(rows: int = ROWS) -> None:
    """Jobs in every state, most of them finished; none that is scheduled is due, and
    no lease has expired, however long the steps take.
    """
    now = timezone.now()
    states = itertools.cycle(
        [
            State.READY,
            State.SCHEDULED,
            State.SUCCEEDED,
            State.FAILED,
            State.SUCCEEDED,
            State.RUNNING,
        ]
    )
    numbers = zip(range(rows), states, strict=False)
    Job.objects.bulk_create(
        [
            Job(
                state=state,
                queue=f"queue {number % 7}",
                priority=number % 11,
                run_at=now + HOUR + MINUTE * (number % 500)
                if state == State.SCHEDULED
                else now - MINUTE * (number % 500),
                locked_at=now + HOUR if state == State.RUNNING else None,
                locked_by=f"worker {number % 100}" if state == State.RUNNING else "",
                handler="{}",
            )
            for number, state in numbers
        ],
        batch_size=1000,
    )


def explained(step: Callable[[], Any]) -> list[str]:
    """The plan of every statement that `step` executes."""
    seen: list[tuple[str, Any]] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        step()
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    plans = []
    with connection.cursor() as cursor:
        for sql, params in seen:
            if '"jobs_job"' in sql:
                cursor.execute(f"{explain} {sql}", params)
                plans.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
    return plans


@on_sql
@pytest.mark.usefixtures("known_clock")
def test_every_step_is_served_by_an_index_without_a_sort():
    fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for name, (index, step) in STEPS.items():
        plans = explained(step)
        assert plans, name
        assert any(re.search(rf"\b{index}\b", plan) for plan in plans), f"{name}:\n{plans}"
        for plan in plans:
            assert "Sort" not in plan, f"{name}:\n{plan}"
            assert "TEMP B-TREE" not in plan, f"{name}:\n{plan}"
            assert "Seq Scan" not in plan, f"{name}:\n{plan}"
            assert "SCAN jobs_job" not in plan, f"{name}:\n{plan}"


#: What people look at; a sort may follow where few rows are left.
LOOKS: dict[str, tuple[str, Callable[[], Any]]] = {
    "the command's list": (
        "jobs_job_(list|pkey)",
        lambda: reports.listed(Filter(state="failed"), 20),
    ),
    "failed jobs": ("jobs_job_ended", lambda: JobList(Filter(state="failed")).page(20)),
    "failed lately": ("jobs_job_ended", lambda: JobList(Filter(failed_within=MINUTE)).page(20)),
    "waiting long": (
        "jobs_job_due",
        lambda: JobList(Filter("ready", waiting_longer_than=MINUTE)).page(20),
    ),
    "one queue": ("jobs_job_claim_queue", lambda: JobList(Filter("ready", "queue 1")).page(20)),
    "one error": ("jobs_job_error", lambda: JobList(Filter(error="error 1")).page(20)),
    "a key": (
        "(jobs_job_unique_key|sqlite_autoindex_jobs_job_1)",
        lambda: JobList(Filter(unique_key="k")).page(20),
    ),
    "errors": ("jobs_job_error", errors.grouped),
    "all with an error": (
        "jobs_job_error",
        lambda: next(Selection(Filter(error="error 1")).thousands()),
    ),
}


@on_sql
def test_every_look_is_served_by_an_index():
    fill(ROWS // 4)
    for number, state in enumerate((State.FAILED, State.SUCCEEDED)):
        Job.objects.filter(state=state).update(
            finished_at=models.F("run_at"), error_key=f"error {number}"
        )
    some = Job.objects.filter(state=State.FAILED).values_list("pk", flat=True)[:20]
    Job.objects.filter(pk__in=list(some)).update(error_key="error 1")
    with connection.cursor() as cursor:
        # On PostgreSQL only that tells what an index alone can answer.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    for name, (index, step) in LOOKS.items():
        plans = explained(step)
        assert any(re.search(rf"\b{index}\b", plan) for plan in plans), f"{name}:\n{plans}"
        for plan in plans:
            assert "Seq Scan on jobs_job" not in plan, f"{name}:\n{plan}"
            assert "SCAN jobs_job" not in plan or "USING" in plan, f"{name}:\n{plan}"


@on_mongodb
def test_the_migrations_made_the_indexes():
    keys = {
        name: index["key"] for name, index in store_for(Job).collection.index_information().items()
    }
    for index in Job._meta.indexes:
        expected = [("_id" if name == "id" else name, 1) for name in index.fields]
        assert keys[index.name] == expected
    [unique] = [
        index
        for index in store_for(Job).collection.index_information().values()
        if index.get("unique")
    ]
    assert unique["key"] == [("unique_key", 1)]


@on_mongodb
@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({}, "jobs_job_claim"),
        ({"queues": ["queue 1"]}, "jobs_job_claim_queue"),
        ({"min_priority": 1, "max_priority": 9}, "jobs_job_claim"),
    ],
)
def test_the_claim_is_an_indexs_prefix_by_equality_and_the_rest_of_it_as_the_sort(
    monkeypatch, options, index
):
    """Then MongoDB needs no sort. The stand-in's planner does not rank indexes, so the
    shape is what can be checked here.
    """
    asked: dict[str, Any] = {}
    store = store_for(Job)
    collection = type(store.collection)
    original = collection.find_one_and_update

    def record(self: Any, where: Any, *args: Any, **kwargs: Any) -> Any:
        asked.update(where=where, sort=kwargs["sort"])
        return original(self, where, *args, **kwargs)

    monkeypatch.setattr(collection, "find_one_and_update", record)
    fill(60)
    assert Job.objects.reserve(jobs.Worker(**options))
    equal = [(name, 1) for name, value in asked["where"].items() if not isinstance(value, dict)]
    ranges = [name for name, value in asked["where"].items() if isinstance(value, dict)]
    assert [*equal, *asked["sort"]] == store.collection.index_information()[index]["key"]
    assert ranges in ([], ["priority"])
    assert not any(name.startswith("$") for name in asked["where"])
    if lane() == "documentdb":
        return  # without statistics its plans vary: tests/documentdb/test_plans.py sees them
    command = {
        "findAndModify": store.collection.name,
        "query": asked["where"],
        "sort": dict(asked["sort"]),
        "remove": True,
    }
    plan = store.database.command("explain", command, verbosity="queryPlanner")["queryPlanner"][
        "winningPlan"
    ]
    assert "COLLSCAN" not in str(plan)
