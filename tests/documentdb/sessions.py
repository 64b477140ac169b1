"""Sessions: retryable writes, which are carried out once however often they are sent,
and transactions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.documentdb.connections import Connection, Pool, document
from tests.documentdb.refusals import TRANSIENT, Gone, Refused, readable, refusal

#: A transaction reads what was committed when it began. As MongoDB has it, one that is
#: left open ends after a minute; and a write that meets another transaction's doesn't
#: wait for that, but fails.
BEGIN = """
begin isolation level repeatable read;
set local transaction_timeout = '60s';
set local lock_timeout = '20ms'
"""
#: The codes of a transaction that may succeed when the whole of it is tried again.
ABANDONED = (112, 251)


@dataclass
class Session:
    #: Held by the command that is being executed: a repeated write waits for the first
    #: one's end.
    lock: threading.RLock = field(default_factory=threading.RLock)
    #: The number of the last retryable write or transaction, -1 where that isn't known.
    number: int = -1
    #: The open transaction.
    connection: Connection | None = None
    committed: bool = False


@dataclass(frozen=True)
class Record:
    """Where a retryable write leaves its reply, in the same statement."""

    session: bytes
    number: int


class Sessions:
    def __init__(self, pool: Pool):
        self._pool = pool
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}

    def write_once(
        self, command: Mapping[str, Any], write: Callable[[Connection, Record], dict[str, Any]]
    ) -> dict[str, Any]:
        """What `write` answers, or answered when this very command came before."""
        record = Record(key_of(command), command["txnNumber"])
        session = self._session(record.session)
        with session.lock, self._pool.borrowed() as connection:
            if (
                session.number in (-1, record.number)
                and (reply := _recorded(connection, record)) is not None
            ):
                return reply
            if record.number < session.number:
                raise _too_old(record.number, session.number)
            self._roll_back(session)
            reply = write(connection, record)
            session.number, session.committed = record.number, False
            return reply

    def in_transaction(
        self, command: Mapping[str, Any], execute: Callable[[Connection], dict[str, Any]]
    ) -> dict[str, Any]:
        """Executes a statement in the transaction that the command names or begins; an
        error ends the transaction.
        """
        session, number = self._session(key_of(command)), command["txnNumber"]
        with session.lock:
            if command.get("startTransaction"):
                self._begin(session, number)
            if session.connection is None or session.number != number:
                raise _unknown(number)
            try:
                reply = execute(session.connection)
            except psycopg.Error as error:
                self._roll_back(session)
                found = refusal(error)
                if isinstance(found, Refused) and found.code in ABANDONED:
                    raise Refused(found.code, str(found), TRANSIENT) from error
                raise found from error
            except BaseException:
                self._roll_back(session)
                raise
            if errors := reply.get("writeErrors"):
                self._roll_back(session)
                if (first := errors[0])["code"] in ABANDONED:
                    raise Refused(first["code"], first["errmsg"], TRANSIENT)
            return reply

    def commit(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Also a second time, where the first answer was lost."""
        session, number = self._session(key_of(command)), command["txnNumber"]
        with session.lock:
            if session.number == number and session.committed:
                return {"ok": 1.0}
            if session.connection is None or session.number != number:
                raise _unknown(number)
            try:
                session.connection.execute("commit")
            except psycopg.Error as error:
                found = refusal(error)
                raise (
                    found if isinstance(found, Gone) else Refused(found.code, str(found), TRANSIENT)
                ) from error
            finally:
                self._leave(session)
            session.committed = True
            return {"ok": 1.0}

    def abort(self, command: Mapping[str, Any]) -> dict[str, Any]:
        session, number = self._session(key_of(command)), command["txnNumber"]
        with session.lock:
            if session.connection is None or session.number != number:
                raise _unknown(number)
            self._roll_back(session)
            return {"ok": 1.0}

    def end(self, sessions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        for one in sessions:
            with self._lock:
                session = self._sessions.pop(bytes(one["id"]), None)
            if session is not None:
                with session.lock:
                    self._roll_back(session)
        return {"ok": 1.0}

    def _session(self, key: bytes) -> Session:
        with self._lock:
            return self._sessions.setdefault(key, Session())

    def _begin(self, session: Session, number: int) -> None:
        if number < session.number:
            raise _too_old(number, session.number)
        self._roll_back(session)
        connection = self._pool.take()
        try:
            for statement in BEGIN.split(";"):
                connection.execute(statement.encode())
        except psycopg.Error:
            connection.close()
            raise
        session.connection, session.number, session.committed = connection, number, False

    def _roll_back(self, session: Session) -> None:
        if session.connection is not None:
            # Where it fails, the connection is broken, and the engine has rolled back.
            with suppress(psycopg.Error):
                session.connection.execute("rollback")
            self._leave(session)

    def _leave(self, session: Session) -> None:
        connection, session.connection = session.connection, None
        if connection is not None:
            self._pool.give_back(connection)


def key_of(command: Mapping[str, Any]) -> bytes:
    return bytes(command["lsid"]["id"])


def _recorded(connection: Connection, record: Record) -> dict[str, Any] | None:
    sql = "select number, reply from gateway.replies where session = %s"
    row = connection.execute(sql, (record.session,), binary=True).fetchone()
    if row is None or row[0] < record.number:
        return None
    if row[0] > record.number:
        raise _too_old(record.number, row[0])
    return readable(document(row[1]))


def _too_old(number: int, newest: int) -> Refused:
    return Refused(225, f"Transaction {number} is older than {newest}, the session's newest.")


def _unknown(number: int) -> Refused:
    return Refused(
        251, f"Transaction {number} is not in progress: it has ended, or never began.", TRANSIENT
    )
