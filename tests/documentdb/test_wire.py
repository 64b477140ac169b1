"""The protocol: what comes is what was sent, and a client that can't speak it hurts
nobody else.
"""

from __future__ import annotations

import datetime as dt
import struct
from uuid import uuid4

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp

from tests.documentdb import wire


def test_every_kind_of_value_comes_back_as_it_was_stored(collection):
    values = {
        "_id": ObjectId(),
        "small": 1,
        "large": Int64(2**53 + 1),
        "small as large": Int64(1),
        "float": 0.1,
        "decimal": Decimal128("0.10"),
        "text": "ä €",
        "bytes": b"\0\1",
        "uuid": Binary.from_uuid(uuid4()),
        "date": dt.datetime(1969, 12, 31, 23, 59, 59, 999000),
        "none": None,
        "list": [1, {"a": [True, None]}],
        "regex": Regex("^a", "i"),
        "timestamp": Timestamp(7, 1),
        "dotted.$name": {"": 1},
    }
    collection.insert_one(values)
    assert bson.encode(collection.find_one()) == bson.encode(values)


def test_more_documents_than_one_message_holds(collection):
    collection.insert_many([{"_id": number, "text": "x" * 1_000_000} for number in range(60)])
    assert [one["_id"] for one in collection.find().sort("_id")] == list(range(60))


def test_documents_beside_the_command_are_part_of_it(connect, collection):
    client = connect()
    documents = b"".join(bson.encode({"_id": number}) for number in range(3))
    beside = b"documents\0" + documents
    command = bson.encode({"insert": "things", "$db": "gateway"})
    sections = b"\1" + struct.pack("<i", len(beside) + 4) + beside + b"\0" + command
    body = struct.pack("<I", 0) + sections
    client.socket.sendall(wire.HEADER.pack(wire.HEADER.size + len(body), 1, 0, wire.OP_MSG) + body)
    assert wire.receive(client.socket).command["n"] == 3
    assert collection.count_documents({}) == 3


def test_a_write_that_asks_for_no_answer_gets_none(connect, collection):
    client = connect()
    command = bson.encode({"insert": "things", "documents": [{}], "$db": "gateway"})
    body = struct.pack("<IB", wire.MORE_TO_COME, 0) + command
    client.socket.sendall(wire.HEADER.pack(wire.HEADER.size + len(body), 1, 0, wire.OP_MSG) + body)
    assert client(count="things")["n"] == 1


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(wire.HEADER.pack(15, 1, 0, wire.OP_MSG), id="shorter than its head"),
        pytest.param(wire.HEADER.pack(2**31 - 1, 1, 0, wire.OP_MSG), id="longer than allowed"),
        pytest.param(wire.HEADER.pack(17, 1, 0, 1) + b"\0", id="of a kind that isn't asked"),
        pytest.param(wire.HEADER.pack(25, 1, 0, wire.OP_MSG) + b"\0" * 9, id="without a document"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="of another protocol"),
    ],
)
def test_a_client_that_speaks_another_protocol_is_hung_up_on_and_others_are_served(
    connect, message
):
    other, client = connect(), connect()
    client.socket.sendall(message)
    assert client.is_closed
    assert other(ping=1)["ok"] == 1
