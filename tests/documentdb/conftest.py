"""A server of DocumentDB's for the tests of its gateway, and ways to talk to it."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from tests.documentdb import wire
from tests.servers import DocumentDB

Document = dict[str, Any]


class RawClient:
    """Says what it is told to, on a connection of its own, where a driver would choose
    the session and its numbers.
    """

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)

    def __call__(self, **command: Any) -> Document:
        """The reply to a command of the database `gateway`."""
        self.send(**command)
        answer = wire.receive(self.socket)
        assert answer is not None, "the connection was closed"
        return answer.command

    def send(self, **command: Any) -> None:
        self.socket.sendall(wire.reply(wire.Request(0, {}), {**command, "$db": "gateway"}))

    @property
    def is_closed(self) -> bool:
        return wire.receive(self.socket) is None


@pytest.fixture(scope="session")
def server() -> Iterator[DocumentDB]:
    with tempfile.TemporaryDirectory(prefix="delayed-jobs-documentdb-") as folder:
        server = DocumentDB(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def client(server: DocumentDB) -> Iterator[MongoClient[Document]]:
    options = {"heartbeatFrequencyMS": 500, "serverSelectionTimeoutMS": 120_000}
    with MongoClient[Document](server.url, **options) as client:
        yield client


@pytest.fixture
def collection(client: MongoClient[Document]) -> Collection[Document]:
    """An empty one."""
    client.gateway.drop_collection("things")
    return client.gateway.things


@pytest.fixture
def connect(server: DocumentDB) -> Iterator[Callable[[], RawClient]]:
    opened: list[RawClient] = []

    def connect() -> RawClient:
        opened.append(RawClient(server.port))
        return opened[-1]

    yield connect
    for one in opened:
        one.socket.close()
