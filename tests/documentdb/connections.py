"""Connections to the engine.

Each command has one of its own for as long as it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
import psycopg

from tests.documentdb.wire import items

Connection = psycopg.Connection[tuple[Any, ...]]

#: What the gateway remembers beyond its own life: the last retryable write of each
#: session.
PREPARE = """
create schema if not exists gateway;
create table if not exists gateway.replies (
    session bytea primary key, number bigint not null, reply bytea not null
);
"""


class Pool:
    """As many connections as commands were ever executed at once."""

    def __init__(self, dsn: str):
        self._dsn = dsn
        self._free: list[Connection] = []
        self._lock = threading.Lock()
        with self.borrowed() as connection:
            connection.execute(PREPARE)

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def take(self) -> Connection:
        """One that is the caller's until it gives it back."""
        with self._lock:
            if self._free:
                return self._free.pop()
        connection = psycopg.connect(self._dsn, autocommit=True, prepare_threshold=2)
        connection.execute("set documentdb_core.bsonUseEJson = off")
        # Else a delete that meets another write of its document does nothing, though
        # its conditions hold before and after that. Now it is refused, and repeated.
        connection.execute("set default_transaction_isolation = 'repeatable read'")
        return connection

    def give_back(self, connection: Connection) -> None:
        if connection.closed:
            return
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.rollback()
        with self._lock:
            self._free.append(connection)


def ask(connection: Connection, sql: str, *arguments: Any) -> tuple[Any, ...]:
    """The one row that a function of the engine's answers.

    Raises what psycopg raises.
    """
    row = connection.execute(sql.encode(), arguments, binary=True).fetchone()
    assert row is not None
    return row


def document(value: Any) -> dict[str, Any]:
    """A reply of the engine's, which leaves it to others to say that all is well."""
    found = items(bytes(value))
    found.setdefault("ok", 1.0)
    return found


def encoded(command: dict[str, Any]) -> bytes:
    return bson.encode(command)
