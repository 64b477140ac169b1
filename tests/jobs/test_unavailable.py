"""Which errors are waited for, one by one, and which are not."""

from __future__ import annotations

import sqlite3
import sys

import pytest
from django.db import DataError, InterfaceError, InternalError, OperationalError, ProgrammingError
from pymongo import errors as pymongo_errors

from jobs.store import unavailable
from jobs.store.mongodb import MongoStore

psycopg = pytest.importorskip("psycopg")

NEVER = ("22001", "23505", "25P02", "42P01", "42703", "42601", "XX000", "3F000")


def postgresql(sqlstate: str) -> Exception:
    """The error as Django raises it: of its own class, caused by the driver's."""
    kind = psycopg.errors.lookup(sqlstate) if len(sqlstate) == 5 else psycopg.OperationalError
    raised = kind("the server's text")
    wrappers = {
        psycopg.InternalError: InternalError,
        psycopg.OperationalError: OperationalError,
        psycopg.DataError: DataError,
        psycopg.InterfaceError: InterfaceError,
    }
    found = [of for cls, of in wrappers.items() if isinstance(raised, cls)]
    error = (found or [ProgrammingError])[0]("the server's text")
    error.__cause__ = raised
    return error


def examples() -> list[str]:
    """Every SQLSTATE of the table that the driver knows; of a class, each of its
    members.
    """
    known = [code for code in psycopg.errors._sqlcodes if code[:1].isdigit()]
    return [
        code for code in known if code in unavailable.SQLSTATES or code[:2] in unavailable.SQLSTATES
    ]


@pytest.mark.parametrize("sqlstate", examples())
def test_postgresqls_passing_errors_are_waited_for(sqlstate):
    assert unavailable.is_unavailable_sql(postgresql(sqlstate))


def test_a_server_that_is_read_only_after_a_failover_is_waited_for():
    error = postgresql("25006")
    assert isinstance(error, InternalError)  # so the class alone would not tell
    assert unavailable.is_unavailable_sql(error)


@pytest.mark.parametrize("sqlstate", NEVER)
def test_a_statement_that_postgresql_refuses_is_not_waited_for(sqlstate):
    assert not unavailable.is_unavailable_sql(postgresql(sqlstate))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="SQLite's errors have no code yet")
@pytest.mark.parametrize("code", [*range(1, 27), 266, 261, 1032])
def test_sqlites_errors_are_told_apart_by_their_primary_code(code):
    raised = sqlite3.OperationalError("text")
    raised.sqlite_errorcode = code
    error = OperationalError("text")
    error.__cause__ = raised
    assert unavailable.is_unavailable_sql(error) == (code & 0xFF in unavailable.SQLITE)


@pytest.mark.parametrize("code", unavailable.MONGODB)
@pytest.mark.parametrize("kind", [pymongo_errors.OperationFailure, pymongo_errors.WriteError])
def test_mongodbs_passing_errors_are_waited_for(code, kind):
    assert MongoStore.is_unavailable(object.__new__(MongoStore), kind("text", code))


@pytest.mark.parametrize("code", [2, 9, 11000, 121, 13, 18, 20, 26, 48, 96])
def test_a_command_that_mongodb_refuses_is_not_waited_for(code):
    error = pymongo_errors.OperationFailure("text", code)
    assert not MongoStore.is_unavailable(object.__new__(MongoStore), error)


def test_an_error_that_is_no_databases_is_not_waited_for():
    assert not unavailable.is_unavailable_sql(OSError("the disk is full"))
    assert not unavailable.is_unavailable_sql(ValueError("no"))
