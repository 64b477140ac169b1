"""`explain` tells what the engine does, and by it the queue's own statements are served
by indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from pymongo import monitoring

import jobs
from jobs.models import Job
from jobs.store import store_for
from tests import database
from tests.conformance.test_plans import STEPS, fill
from tests.samples import Record
from tests.servers import DocumentDB

READS = {"find", "aggregate", "count", "distinct"}
WRITES = {"findAndModify", "update", "delete"}
OF_THE_DRIVER = {"lsid", "txnNumber", "$db", "$clusterTime", "readConcern", "writeConcern"}


@pytest.fixture
def things(collection):
    collection.create_index([("kind", 1), ("n", 1)], name="kind_and_n")
    collection.insert_many(
        [{"_id": number, "kind": number % 5, "n": number} for number in range(5000)]
    )
    return collection


@pytest.fixture
def plan(client, server, things):
    with psycopg.connect(server.engine.dsn, autocommit=True) as engine:
        engine.execute("analyze")

    def plan(**command):
        return list(
            stages(client.gateway.command("explain", command)["queryPlanner"]["winningPlan"])
        )

    return plan


def stages(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each stage with its index, from the last to the first."""
    yield plan["stage"], plan.get("indexName", "")
    for below in [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", []):
        yield from stages(below)


KIND = {"kind": 3}


def test_a_find_by_an_index_in_its_order(plan):
    found = plan(find="things", filter=KIND, sort={"n": 1}, limit=1)
    assert found == [("LIMIT", ""), ("IXSCAN", "kind_and_n")]


def test_a_find_without_an_index_reads_all_and_sorts(plan):
    assert plan(find="things", filter={"other": 1}, sort={"n": 1}) == [
        ("SORT", ""),
        ("COLLSCAN", ""),
    ]


def test_a_find_by_id(plan):
    assert ("IXSCAN", "_id_") in plan(find="things", filter={"_id": 3})


@pytest.mark.parametrize(
    "command",
    [
        {"aggregate": "things", "pipeline": [{"$match": KIND}, {"$count": "n"}]},
        {"count": "things", "query": KIND},
        {"distinct": "things", "key": "n", "query": KIND},
        {"findAndModify": "things", "query": KIND, "sort": {"n": 1}, "update": {"$set": {"x": 1}}},
        {"findAndModify": "things", "query": {**KIND, "n": 503}, "remove": True},
        {"update": "things", "updates": [{"q": KIND, "u": {"$set": {"x": 1}}, "multi": True}]},
        {"delete": "things", "deletes": [{"q": KIND, "limit": 0}]},
    ],
    ids=lambda command: " ".join(command),
)
def test_every_other_command_that_looks_for_documents(plan, things, command):
    before = list(things.find().sort("_id"))
    assert ("IXSCAN", "kind_and_n") in plan(**command)
    assert list(things.find().sort("_id")) == before, "a plan changes nothing"


@pytest.fixture
def executed():
    """The commands on jobs that the driver sends."""

    class Listener(monitoring.CommandListener):
        sent: list[dict[str, Any]] = []

        def started(self, event):
            command = dict(event.command)
            if command.get(event.command_name) == Job._meta.db_table:
                self.sent.append(
                    {key: value for key, value in command.items() if key not in OF_THE_DRIVER}
                )

        def succeeded(self, event): ...

        def failed(self, event): ...

    listener = Listener()
    connection.close_pool()
    connection.settings_dict.setdefault("OPTIONS", {})["event_listeners"] = [listener]
    yield listener.sent
    connection.close_pool()
    del connection.settings_dict["OPTIONS"]["event_listeners"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("known_clock")
def test_every_step_of_the_queue_is_served_by_its_index(executed):
    connection.ensure_connection()
    jobs.enqueue(Record(), unique_key="k")
    fill()
    assert isinstance(database.serving, DocumentDB)
    with psycopg.connect(database.serving.engine.dsn, autocommit=True) as engine:
        engine.execute("analyze")
    steps = {
        **STEPS,
        "a unique key": ("jobs_job_unique_key", lambda: store_for(Job).holder_of("k")),
    }
    del steps["from one job to the next"]  # two commands, which are among the others
    for name, (index, step) in steps.items():
        executed.clear()
        step()
        plans = [
            (next(iter(command)), explained(command))
            for command in executed
            if next(iter(command)) in READS | WRITES
        ]
        assert any(re.search(rf"\b{index}\b", used) for _, plan in plans for _, used in plan), (
            f"{name}: {plans}"
        )
        for command, plan in plans:
            done = [stage for stage, _ in plan]
            assert "COLLSCAN" not in done, f"{name}: {plan}"
            # What differs from MongoDB: the engine sorts what a findAndModify may
            # choose from.
            assert ("SORT" in done) == (command == "findAndModify"), f"{name}: {command} {plan}"


def explained(command: dict[str, Any]) -> list[tuple[str, str]]:
    answer = store_for(Job).database.command("explain", command)
    return list(stages(answer["queryPlanner"]["winningPlan"]))
