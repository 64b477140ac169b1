"""Results that are fetched page by page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.documentdb.connections import Connection, Pool, ask, document, encoded
from tests.documentdb.refusals import Refused

#: As MongoDB has it: a cursor that nobody has asked for so long is given up, in
#: seconds.
IDLE = 600.0

FIRST_PAGES = {
    "find": "find_cursor_first_page",
    "aggregate": "aggregate_cursor_first_page",
    "listcollections": "list_collections_cursor_first_page",
    "listindexes": "list_indexes_cursor_first_page",
}


@dataclass
class Cursor:
    database: str
    #: Where the engine goes on.
    continuation: bytes
    #: The connection that the engine keeps the result on, which is the cursor's as long
    #: as there is more.
    kept: Connection | None
    asked_at: float = field(default_factory=time.monotonic)


class Cursors:
    def __init__(self, pool: Pool):
        self._pool = pool
        self._lock = threading.Lock()
        self._open: dict[int, Cursor] = {}

    def open(
        self, name: str, given: Connection | None, database: str, command: dict[str, Any]
    ) -> dict[str, Any]:
        """The first page; on the connection `given`, a transaction's, or where that is
        None, on any.
        """
        connection = given or self._pool.take()
        kept: Connection | None = None
        try:
            sql = "select cursorpage::bytea, continuation::bytea, persistconnection"
            sql += f" from documentdb_api.{FIRST_PAGES[name]}(%s, %s::bytea::documentdb_core.bson)"
            row = ask(connection, sql, database, encoded(command))
            page = document(row[0])
            if (number := page["cursor"]["id"]) and row[1] is not None:
                kept = connection if row[2] and given is None else None
                self._remember(number, Cursor(database, bytes(row[1]), kept))
            return page
        finally:
            if given is None and kept is None:
                self._pool.give_back(connection)

    def more(
        self, given: Connection | None, database: str, command: dict[str, Any]
    ) -> dict[str, Any]:
        """The next page. Raises Refused where there is no such cursor."""
        number = command["getMore"]
        with self._lock:
            cursor = self._open.pop(number, None)
        if cursor is None or cursor.database != database:
            raise Refused(43, f"cursor id {number} not found")
        connection = cursor.kept or given or self._pool.take()
        more = False
        try:
            sql = (
                "select cursorpage::bytea, continuation::bytea from documentdb_api.cursor_get_more"
            )
            sql += "(%s, %s::bytea::documentdb_core.bson, %s::bytea::documentdb_core.bson)"
            row = ask(connection, sql, database, encoded(command), cursor.continuation)
            page = document(row[0])
            more = bool(page["cursor"]["id"]) and row[1] is not None
            if more:
                self._remember(number, Cursor(database, bytes(row[1]), cursor.kept))
            return page
        finally:
            if cursor.kept is None and given is None:
                self._pool.give_back(connection)
            if not more:
                self._close(cursor)

    def kill(self, numbers: Iterable[int]) -> dict[str, Any]:
        killed: list[int] = []
        unknown: list[int] = []
        for number in numbers:
            with self._lock:
                cursor = self._open.pop(number, None)
            (unknown if cursor is None else killed).append(number)
            if cursor is not None:
                self._close(cursor)
        return {
            "cursorsKilled": killed,
            "cursorsNotFound": unknown,
            "cursorsAlive": [],
            "cursorsUnknown": [],
            "ok": 1.0,
        }

    def _remember(self, number: int, cursor: Cursor) -> None:
        with self._lock:
            self._open[number] = cursor
            old = [
                one for one, found in self._open.items() if cursor.asked_at - found.asked_at > IDLE
            ]
            given_up = [self._open.pop(one) for one in old]
        for one in given_up:
            self._close(one)

    def _close(self, cursor: Cursor) -> None:
        # Not given back: the engine's own cursor would stay open on it.
        if cursor.kept is not None:
            cursor.kept.close()
