"""`explain`: the engine's plans, in MongoDB's words.

Of what only reads, PostgreSQL explains the very query. A write is executed and rolled
back, and the plans are those of the statements that the engine executed for it, because
they are not those of a query with the same conditions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.documentdb.connections import Connection, encoded
from tests.documentdb.refusals import Refused
from tests.documentdb.statements import BSON, WRITES, spelled, write

QUERIES = {"find": "find", "aggregate": "pipeline", "count": "count", "distinct": "distinct"}

STAGES = {
    "Seq Scan": "COLLSCAN",
    "Index Scan": "IXSCAN",
    "Index Only Scan": "IXSCAN",
    "Bitmap Index Scan": "IXSCAN",
    "Bitmap Heap Scan": "FETCH",
    "Tid Scan": "FETCH",
    "Sort": "SORT",
    "Incremental Sort": "SORT",
    "Limit": "LIMIT",
    "Aggregate": "GROUP",
    "Result": "EOF",
}
#: Steps that are PostgreSQL's own affair.
TRANSPARENT = {"Custom Scan", "LockRows", "Subquery Scan", "CTE Scan", "ProjectSet", "Append"}
PRIMARY_KEY = re.compile(r"^collection_pk_\d+$")

#: The plans of all that this transaction executes, as notices.
WATCH = """
begin;
load 'auto_explain';
set local auto_explain.log_min_duration = 0;
set local auto_explain.log_nested_statements = on;
set local auto_explain.log_level = notice;
set local auto_explain.log_format = json
"""


def explain(connection: Connection, database: str, command: dict[str, Any]) -> dict[str, Any]:
    """Answers `queryPlanner.winningPlan`, and the engine's plans as they are in
    `engine`.
    """
    name = next(iter(command)).lower()
    if name in QUERIES:
        plans = [_plan_of_query(name, connection, database, command)]
    elif name in WRITES:
        plans = _plans_of_write(name, connection, database, command)
    else:
        raise Refused(59, f"Explain failed due to unknown command: {name}")
    if not plans:
        raise Refused(
            26, f"Nothing was executed for {name}: is there such a collection in {database}?"
        )
    planner = {"plannerVersion": 1, "winningPlan": stage(plans[0]), "rejectedPlans": []}
    return {"queryPlanner": planner, "command": command, "engine": plans, "ok": 1.0}


def stage(plan: dict[str, Any]) -> dict[str, Any]:
    """MongoDB's stage for a node of PostgreSQL's plan, with its inputs."""
    below = [stage(one) for one in plan.get("Plans", ())]
    kind = plan["Node Type"]
    if kind in TRANSPARENT and len(below) == 1:
        return below[0]
    name = plan["Operation"].upper() if kind == "ModifyTable" else STAGES.get(kind, kind.upper())
    found: dict[str, Any] = {"stage": name}
    if "Index Name" in plan:
        found["indexName"] = PRIMARY_KEY.sub("_id_", plan["Index Name"])
    if len(below) == 1:
        found["inputStage"] = below[0]
    elif below:
        found["inputStages"] = below
    return found


def _plan_of_query(
    name: str, connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    query = (
        f"select document from documentdb_api_catalog.bson_aggregation_{QUERIES[name]}(%s, {BSON})"
    )
    if name == "aggregate":
        command = {"cursor": {}, **command}
        command = spelled(command, "aggregate")
    row = connection.execute(
        f"explain (format json) {query}".encode(), (database, encoded(command))
    ).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def _plans_of_write(
    name: str, connection: Connection, database: str, command: dict[str, Any]
) -> list[dict[str, Any]]:
    notices: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        notices.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    try:
        for statement in WATCH.split(";"):
            connection.execute(statement.encode())
        write(name, connection, database, command)
    finally:
        connection.remove_notice_handler(note)
        connection.rollback()
    plans = [
        json.loads(notice.partition("plan:")[2])["Plan"] for notice in notices if "plan:" in notice
    ]
    return [plan for plan in plans if any(_reads_documents(node) for node in _nodes(plan))]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _reads_documents(node: dict[str, Any]) -> bool:
    return str(node.get("Relation Name", "")).startswith("documents_")
