"""Jobs that change their database connection in one of the ways there are, and what a
connection is like.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

import jobs

Way = Callable[[], Any]
#: What jobs refer to for as long as the process lives.
kept: list[Any] = []


def sql(text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else None


def raw() -> Any:
    connection.ensure_connection()
    return connection.connection


def refuse(*arguments: Any) -> Any:
    raise RuntimeError("a wrapper that a job left")


def keep_half_read(cursor: Any, text: str) -> None:
    cursor.execute(text)
    cursor.fetchone()
    kept.append(cursor)


def named_cursor() -> None:
    keep_half_read(connection.chunked_cursor(), "SELECT * FROM pg_class")


def forgotten_cursor() -> None:
    named_cursor()
    kept.pop()


def through_a_cursors_own() -> None:
    with connection.cursor() as cursor:
        cursor.connection.execute("SET search_path TO pg_catalog")


def below_a_cursor() -> None:
    with connection.cursor() as cursor:
        cursor.cursor.execute("SET search_path TO pg_catalog")


def through_the_orm() -> None:
    from django.db.models import Func, TextField, Value

    from jobs.models import Job

    changed: Any = Func(
        Value("search_path"), Value("pg_catalog"), False, function="set_config",
        output_field=TextField(),
    )  # fmt: skip
    jobs.enqueue(Nothing(), run_at=timezone.now() + dt.timedelta(days=1))
    list(Job.objects.annotate(changed=changed).values_list("changed"))


POSTGRESQL: dict[str, Way] = {
    "role": lambda: sql("SET ROLE pg_read_all_data"),
    "session authorization": lambda: sql("SET SESSION AUTHORIZATION pg_read_all_data"),
    "search_path": lambda: sql("SET search_path TO pg_catalog"),
    "search_path, below a comment": lambda: sql("/* x */ -- y\n  set search_path = pg_catalog"),
    "search_path, behind another": lambda: sql("SELECT 1; SET search_path TO pg_catalog"),
    "search_path, by a function": lambda: sql(
        "SELECT set_config('search_path', 'pg_catalog', false)"
    ),
    "search_path, by a function that is quoted": lambda: sql(
        """SELECT "pg_catalog"."set_config" ('search_path', 'pg_catalog', false)"""
    ),
    "search_path, by a block": lambda: sql(
        "DO $$BEGIN PERFORM set_config('search_path', 'pg_catalog', false); END$$"
    ),
    "search_path, by an expression": through_the_orm,
    "search_path, by the driver": lambda: raw().execute("SET search_path TO pg_catalog"),
    "search_path, by the driver's cursor": below_a_cursor,
    "search_path, by a cursor's connection": through_a_cursors_own,
    "statement_timeout": lambda: sql("SET statement_timeout = 3600000"),
    "time zone": lambda: sql("SET TIME ZONE 'Asia/Tokyo'"),
    "isolation level": lambda: sql(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    ),
    "isolation level, by the driver": lambda: setattr(raw(), "isolation_level", 4),
    "read only": lambda: sql("SET default_transaction_read_only = on"),
    "replication role": lambda: sql("SET session_replication_role = replica"),
    "reset": lambda: sql("RESET ALL"),
    "temporary table": lambda: sql("CREATE TEMP TABLE left_behind (id int)"),
    "temporary table, selected": lambda: sql("SELECT 1 AS id INTO TEMP left_behind"),
    "advisory lock": lambda: sql("SELECT pg_advisory_lock(4711)"),
    "listen": lambda: sql("LISTEN left_behind"),
    "prepared statement": lambda: sql("PREPARE left_behind AS SELECT 1"),
    "cursor with hold": lambda: sql(
        "DECLARE left_behind CURSOR WITH HOLD FOR SELECT * FROM pg_class"
    ),
    "cursor with hold, of Django": named_cursor,
    "cursor with hold, that nobody has": forgotten_cursor,
    "row factory": lambda: setattr(raw(), "row_factory", dict_row),
    "adapter": lambda: raw().adapters.register_loader("int4", AsText),
    "execute wrapper": lambda: connection.execute_wrappers.append(refuse),
    "query log": lambda: setattr(connection, "force_debug_cursor", True),
}

SQLITE: dict[str, Way] = {
    "foreign keys": lambda: sql("PRAGMA foreign_keys = OFF"),
    "foreign keys, below a comment": lambda: sql("/* x */ pragma foreign_keys = off"),
    "synchronous": lambda: sql("PRAGMA synchronous = OFF"),
    "query only": lambda: sql("PRAGMA query_only = ON"),
    "time-out": lambda: sql("PRAGMA busy_timeout = 1"),
    "case": lambda: sql("PRAGMA case_sensitive_like = ON"),
    "query only, by the driver": lambda: raw().execute("PRAGMA query_only = ON"),
    "query only, by a script": lambda: script("PRAGMA query_only = ON;"),
    "attached": lambda: sql("ATTACH DATABASE ':memory:' AS left_behind"),
    "temporary table": lambda: sql("CREATE TEMP TABLE left_behind (id int)"),
    "temporary trigger": lambda: sql(
        "CREATE TEMP TRIGGER left_behind BEFORE DELETE ON jobs_job "
        "BEGIN SELECT RAISE(ABORT, 'a trigger that a job left'); END"
    ),
    "function": lambda: raw().create_function("lower", 1, lambda text: "x"),
    "authorizer": lambda: raw().set_authorizer(lambda *_: 1),
    "progress handler": lambda: raw().set_progress_handler(lambda: 1, 1),
    "row factory": lambda: setattr(raw(), "row_factory", list),
    "text factory": lambda: setattr(raw(), "text_factory", bytes),
    "isolation level": lambda: setattr(raw(), "isolation_level", "DEFERRED"),
    "half-read": lambda: keep_half_read(connection.cursor(), "SELECT * FROM sqlite_master"),
    "execute wrapper": lambda: connection.execute_wrappers.append(refuse),
    "query log": lambda: setattr(connection, "force_debug_cursor", True),
}

WAYS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}.get(connection.vendor, {})


def dict_row(cursor: Any) -> Any:
    return lambda values: dict(enumerate(values))


def script(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.executescript(text)


if connection.vendor == "postgresql":
    from psycopg.adapt import Loader

    class AsText(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode()


@dataclass
class Nothing(jobs.Performable):
    def perform(self) -> None: ...


@dataclass
class Alter(jobs.Performable):
    """Changes the connection in one way, and fails afterwards if told to."""

    way: str
    fails: bool = False

    def perform(self) -> None:
        WAYS[self.way]()
        if self.fails:
            raise RuntimeError("the job's own error")


def state() -> dict[str, Any]:
    """Of this thread's connection: of its session, its driver, and Django's part."""
    found: dict[str, Any] = {
        "wrappers": list(connection.execute_wrappers),
        "debug": connection.force_debug_cursor,
    }
    connection.execute_wrappers.clear()
    try:
        found.update(_POSTGRESQL() if connection.vendor == "postgresql" else _SQLITE())
    finally:
        connection.execute_wrappers[:] = found["wrappers"]
    return found


def _POSTGRESQL() -> Iterator[tuple[str, Any]]:
    driver = raw()
    yield "row factory", driver.row_factory
    yield "isolation level", driver.isolation_level
    factory, driver.row_factory = driver.row_factory, tuple_row()
    try:
        with driver.cursor() as cursor:
            for name, text in {
                "user": "SELECT current_user::text, session_user::text",
                "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session' "
                "OR name IN ('search_path', 'TimeZone', 'role')",
                "locks": "SELECT objid::text FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
                "channels": "SELECT pg_listening_channels()",
                "cursors": "SELECT name FROM pg_cursors WHERE is_holdable",
                "prepared": "SELECT name FROM pg_prepared_statements WHERE from_sql",
                # A session that has just ended may still be about to drop its own.
                "temporary": "SELECT relname FROM pg_class "
                "WHERE relnamespace = pg_my_temp_schema()",
                "number": "SELECT 7::int4",
            }.items():
                cursor.execute(text)
                yield name, cursor.fetchall()
    finally:
        driver.row_factory = factory


def tuple_row() -> Any:
    from psycopg.rows import tuple_row

    return tuple_row


def _SQLITE() -> Iterator[tuple[str, Any]]:
    driver = raw()
    yield "driver", (driver.row_factory, driver.text_factory, driver.isolation_level)
    for name in ("foreign_keys", "synchronous", "query_only", "busy_timeout"):
        yield name, _fetched(driver, f"PRAGMA {name}")
    yield "attached", _fetched(driver, "SELECT name FROM pragma_database_list WHERE name <> 'temp'")
    yield "temporary", _fetched(driver, "SELECT name FROM sqlite_temp_master")
    yield "function", _fetched(driver, "SELECT lower('A'), 'a' LIKE 'A'")
    yield "half-read", [cursor for cursor in kept if _is_open(cursor)]


def _fetched(driver: Any, text: str) -> Any:
    try:
        return [tuple(row) for row in driver.execute(text).fetchall()]
    except Exception as error:
        return repr(error)


def _is_open(cursor: Any) -> bool:
    try:
        return cursor.fetchone() is not None
    except Exception:
        return False  # of a connection that is closed
