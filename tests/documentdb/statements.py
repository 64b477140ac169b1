"""Commands on databases.

Collections and documents, as calls of the engine's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.documentdb.connections import Connection, ask, document, encoded
from tests.documentdb.refusals import readable
from tests.documentdb.sessions import Record

Statement = Callable[[Connection, str, dict[str, Any]], dict[str, Any]]

BSON = "%s::bytea::documentdb_core.bson"

#: A write's name in the engine, and how the engine wants the command's written.
WRITES = {
    "insert": ("insert", "insert"),
    "update": ("update", "update"),
    "delete": ("delete", "delete"),
    "findandmodify": ("find_and_modify", "findAndModify"),
}
#: As one statement: a write that is carried out has its reply recorded.
RECORDED = """
insert into gateway.replies (session, number, reply)
select %s, %s, p_result::bytea from {call}
on conflict (session) do update set number = excluded.number, reply = excluded.reply
returning reply
"""


def write(
    name: str,
    connection: Connection,
    database: str,
    command: dict[str, Any],
    record: Record | None = None,
) -> dict[str, Any]:
    """A write of documents, whose reply is left at `record`."""
    function, spelling = WRITES[name]
    call = f"documentdb_api.{function}(%s, {BSON})"
    arguments = (database, encoded(spelled(command, spelling)))
    if record is None:
        row = ask(connection, f"select p_result::bytea from {call}", *arguments)
    else:
        row = ask(connection, RECORDED.format(call=call), record.session, record.number, *arguments)
    return readable(document(row[0]))


def spelled(command: dict[str, Any], spelling: str) -> dict[str, Any]:
    """The command with its name as the engine reads it."""
    name, *_ = command
    return {
        spelling: command[name],
        **{key: value for key, value in command.items() if key != name},
    }


def simple(sql: str) -> Statement:
    """A function of the engine's that is given the database and the command."""

    def execute(connection: Connection, database: str, command: dict[str, Any]) -> dict[str, Any]:
        return document(ask(connection, sql, database, encoded(command))[0])

    return execute


def create_indexes(
    connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    """Returns once they are there, as MongoDB does."""
    command["indexes"] = [
        _with_plain_conditions(dict(index.items())) for index in command["indexes"]
    ]
    function = "documentdb_api_internal.create_indexes_non_concurrently"
    reply = document(
        ask(connection, f"select {function}(%s, {BSON}, true)::bytea", database, encoded(command))[
            0
        ]
    )
    # As it would come from a cluster, by shards.
    shards = reply.get("raw")
    return reply if shards is None else {"ok": 1.0, **dict(next(iter(shards.values())).items())}


def _with_plain_conditions(index: dict[str, Any]) -> dict[str, Any]:
    """The same index for the engine, which takes two conditions on a field only where
    `$and` is around them.
    """
    conditions = index.get("partialFilterExpression", {})
    if any(len(_operators(value)) > 1 for value in conditions.values()):
        index["partialFilterExpression"] = {
            "$and": [
                {name: condition}
                for name, value in conditions.items()
                for condition in _operators(value) or [value]
            ]
        }
    return index


def _operators(value: Any) -> list[dict[str, Any]]:
    """A condition of several operators, one by one."""
    if not isinstance(value, Mapping):
        return []
    return [{name: operand} for name, operand in value.items() if name.startswith("$")]


def drop_indexes(connection: Connection, database: str, command: dict[str, Any]) -> dict[str, Any]:
    ask(
        connection,
        f"call documentdb_api.drop_indexes(%s, {BSON}, null)",
        database,
        encoded(command),
    )
    return {"ok": 1.0}


def drop(connection: Connection, database: str, command: dict[str, Any]) -> dict[str, Any]:
    ask(connection, "select documentdb_api.drop_collection(%s, %s)", database, command["drop"])
    return {"ns": f"{database}.{command['drop']}", "ok": 1.0}


def drop_database(connection: Connection, database: str, command: dict[str, Any]) -> dict[str, Any]:
    connection.execute("select documentdb_api.drop_database(%s)", (database,))
    return {"dropped": database, "ok": 1.0}


def change_collection(
    connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    sql = f"select documentdb_api.coll_mod(%s, %s, {BSON})::bytea"
    return document(ask(connection, sql, database, command["collMod"], encoded(command))[0])


def collection_statistics(
    connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    sql = "select documentdb_api.coll_stats(%s, %s)::bytea"
    return document(ask(connection, sql, database, command[next(iter(command))])[0])


def rename_collection(
    connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    ask(connection, f"select documentdb_api.rename_collection({BSON})::text", encoded(command))
    return {"ok": 1.0}


def list_databases(
    connection: Connection, database: str, command: dict[str, Any]
) -> dict[str, Any]:
    return document(
        ask(connection, f"select documentdb_api.list_databases({BSON})::bytea", encoded(command))[0]
    )


STATEMENTS: dict[str, Statement] = {
    "count": simple(f"select document::bytea from documentdb_api.count_query(%s, {BSON})"),
    "distinct": simple(f"select document::bytea from documentdb_api.distinct_query(%s, {BSON})"),
    "create": simple(f"select documentdb_api.create_collection_view(%s, {BSON})::bytea"),
    "createindexes": create_indexes,
    "dropindexes": drop_indexes,
    "drop": drop,
    "dropdatabase": drop_database,
    "collmod": change_collection,
    "collstats": collection_statistics,
    "renamecollection": rename_collection,
    "listdatabases": list_databases,
}
