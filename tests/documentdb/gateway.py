"""The gateway: each client's requests, one after the other, to what executes them."""

from __future__ import annotations

import itertools
import random
import socket
import socketserver
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg

from tests.documentdb import topology, wire
from tests.documentdb.connections import Connection, Pool
from tests.documentdb.cursors import FIRST_PAGES, Cursors
from tests.documentdb.failpoints import FailPoints
from tests.documentdb.plans import explain
from tests.documentdb.refusals import RETRYABLE, WRITE_CONFLICT, Gone, Refused, refusal
from tests.documentdb.sessions import Record, Sessions
from tests.documentdb.statements import STATEMENTS, WRITES, write
from tests.documentdb.topology import Topology

Command = dict[str, Any]

#: Said to the server, not to the engine, which has one member and no clients to tell
#: apart.
GENERIC = {
    "$db",
    "$clusterTime",
    "$readPreference",
    "lsid",
    "txnNumber",
    "startTransaction",
    "autocommit",
    "readConcern",
    "writeConcern",
    "maxTimeMS",
    "apiVersion",
    "apiStrict",
    "apiDeprecationErrors",
    "comment",
}
#: Outside a transaction MongoDB tries again by itself where two writes meet; the engine
#: doesn't. For so many seconds, with a pause of so many at most.
PATIENCE, LONGEST_PAUSE = 60.0, 0.01


class Gateway:
    """What is shared by the connections of all clients."""

    def __init__(self, dsn: str, address: str):
        self._pool = Pool(dsn)
        self._topology = Topology(address)
        self._fail_points = FailPoints()
        self._sessions = Sessions(self._pool)
        self._cursors = Cursors(self._pool)
        self._own: dict[str, Callable[[Command], Command]] = {
            "ping": _well,
            "buildinfo": lambda command: topology.build_info(),
            "getparameter": lambda command: {
                "featureCompatibilityVersion": {"version": "7.0"},
                "ok": 1.0,
            },
            "configurefailpoint": self._fail_points.configure,
            "replsetstepdown": self._step_down,
            "replsetfreeze": self._freeze,
            "endsessions": lambda command: self._sessions.end(command["endSessions"]),
            "killsessions": lambda command: self._sessions.end(command["killSessions"]),
            "refreshsessions": _well,
            "committransaction": self._sessions.commit,
            "aborttransaction": self._sessions.abort,
            "killcursors": lambda command: self._cursors.kill(command["cursors"]),
        }

    def answer(self, request: wire.Request, client: int) -> Command:
        """The reply to a command.

        Raises Refused, or Gone where the client gets none.
        """
        name, command = request.name, request.command
        if name in ("hello", "ismaster"):
            return self._topology.hello(command, client)
        added = self._fail_points.hit(name, command)
        if name in self._own:
            return {**self._own[name](command), **added}
        if not self._topology.is_primary:
            labels = [RETRYABLE] if "txnNumber" in command else []
            raise Refused(10107 if name in WRITES else 13435, "not primary", *labels)
        try:
            return {**self._execute(name, command), **added}
        except psycopg.Error as error:
            raise refusal(error) from error

    def _execute(self, name: str, command: Command) -> Command:
        database = command.get("$db", "admin")
        plain = {key: value for key, value in command.items() if key not in GENERIC}
        if command.get("autocommit") is False:
            return self._sessions.in_transaction(command, partial(self._on, name, database, plain))
        if "txnNumber" in command and name in WRITES:

            def write_once(connection: Connection, record: Record) -> Command:
                return _patiently(lambda: write(name, connection, database, plain, record))

            return self._sessions.write_once(command, write_once)
        if name in FIRST_PAGES or name == "getmore":
            return self._on(name, database, plain, None)
        with self._pool.borrowed() as connection:
            return _patiently(lambda: self._on(name, database, plain, connection))

    def _on(
        self, name: str, database: str, command: Command, connection: Connection | None
    ) -> Command:
        """Executes a statement on `connection`. Cursors find one for themselves where
        it is None.
        """
        if name in FIRST_PAGES:
            if name == "aggregate":
                _refuse_change_streams(command)
            return self._cursors.open(name, connection, database, command)
        if name == "getmore":
            return self._cursors.more(connection, database, command)
        assert connection is not None
        if name in WRITES:
            return write(name, connection, database, command)
        if name == "explain":
            return explain(connection, database, dict(command["explain"].items()))
        if name in STATEMENTS:
            return STATEMENTS[name](connection, database, command)
        raise Refused(59, f"no such command: '{next(iter(command))}'")

    def _step_down(self, command: Command) -> Command:
        self._topology.step_down(command["replSetStepDown"])
        return {"ok": 1.0}

    def _freeze(self, command: Command) -> Command:
        """For no seconds: a set's only member becomes its primary at once."""
        if command["replSetFreeze"] == 0:
            self._topology.step_up()
        return {"ok": 1.0}


def _well(command: Command) -> Command:
    return {"ok": 1.0}


def _refuse_change_streams(command: Command) -> None:
    pipeline = command["pipeline"]
    if pipeline and "$changeStream" in pipeline[0]:
        raise Refused(
            40573, "The $changeStream stage is not supported: DocumentDB has no change streams."
        )


def _patiently(execute: Callable[[], Command]) -> Command:
    """Again and again while another write is at the same documents."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            reply = execute()
            if not _met_another_write(reply):
                return reply
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            pass
        time.sleep(random.uniform(0, LONGEST_PAUSE))
    return execute()


def _met_another_write(reply: Command) -> bool:
    """Whether nothing was written, because another write was at it."""
    errors = reply.get("writeErrors", ())
    return reply.get("n") == 0 and any(error["code"] == WRITE_CONFLICT for error in errors)


class Server(socketserver.ThreadingTCPServer):
    """Listens on the loopback interface, with a thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, dsn: str):
        self.gateway = Gateway(dsn, f"127.0.0.1:{port}")
        self.numbers = itertools.count(1)
        super().__init__(("127.0.0.1", port), Client)


class Client(socketserver.BaseRequestHandler):
    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = next(self.server.numbers)
        try:
            while (request := wire.receive(self.request)) is not None:
                reply = self._answer(request, number)
                if request.answered:
                    self.request.sendall(wire.reply(request, reply))
        except (OSError, wire.Malformed, Gone):
            return  # the connection is closed, and the client knows by that

    def _answer(self, request: wire.Request, number: int) -> Command:
        try:
            return self.server.gateway.answer(request, number)
        except Refused as refused:
            return refused.document
