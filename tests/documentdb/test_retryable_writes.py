"""A retryable write is carried out once, however often it is sent, and answered the
same each time.
"""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from bson import Binary

SORT = {"_id": 1}

WRITES = {
    "insert": {"insert": "things", "documents": [{"_id": 10}]},
    "insert of several": {
        "insert": "things",
        "documents": [{"_id": 11}, {"_id": 12}],
        "ordered": False,
    },
    "insert that is refused": {
        "insert": "things",
        "documents": [{"_id": 1}, {"_id": 13}],
        "ordered": False,
    },
    "update": {"update": "things", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]},
    "update of nothing": {
        "update": "things",
        "updates": [{"q": {"_id": 99}, "u": {"$inc": {"n": 1}}}],
    },
    "updates": {
        "update": "things",
        "updates": [
            {"q": {"_id": 1}, "u": {"$inc": {"n": 1}}},
            {"q": {"_id": 2}, "u": {"$inc": {"n": 1}}},
        ],
    },
    "upsert": {
        "update": "things",
        "updates": [{"q": {"_id": 14}, "u": {"$inc": {"n": 1}}, "upsert": True}],
    },
    "delete": {"delete": "things", "deletes": [{"q": {"n": 0}, "limit": 1}]},
    "claim": {
        "findAndModify": "things",
        "query": {"n": 0},
        "sort": SORT,
        "update": {"$inc": {"n": 1}},
        "new": True,
    },
    "removal": {"findAndModify": "things", "query": {"n": 0}, "sort": SORT, "remove": True},
}


@pytest.fixture
def things(collection):
    collection.insert_many([{"_id": number, "n": 0} for number in range(1, 6)])
    return collection


def state(collection):
    return list(collection.find().sort("_id"))


@pytest.fixture
def session():
    return {"id": Binary.from_uuid(uuid4())}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_second_time_it_is_answered_and_not_carried_out(connect, things, session, write):
    before = state(things)
    first = connect()(**write, lsid=session, txnNumber=1)
    after = state(things)
    assert first["ok"] == 1
    assert (after == before) == (write is WRITES["update of nothing"])
    # On a connection of its own, as a driver sends it after the first one broke.
    assert connect()(**write, lsid=session, txnNumber=1) == first
    assert state(things) == after


def test_it_is_known_after_the_server_has_crashed(server, connect, things):
    client = connect()
    sessions = {name: {"id": Binary.from_uuid(uuid4())} for name in WRITES}
    first = {name: client(**WRITES[name], lsid=sessions[name], txnNumber=1) for name in WRITES}
    after = state(things)
    server.crash()
    server.start()
    client = connect()
    for name in WRITES:
        assert client(**WRITES[name], lsid=sessions[name], txnNumber=1) == first[name], name
    assert state(things) == after


def test_the_next_number_is_another_write(connect, things, session):
    client = connect()
    claimed = [client(**WRITES["claim"], lsid=session, txnNumber=number) for number in (1, 2, 2, 3)]
    assert [one["value"]["_id"] for one in claimed] == [1, 2, 2, 3]


def test_sessions_have_numbers_of_their_own(connect, things, session):
    client, other = connect(), {"id": Binary.from_uuid(uuid4())}
    claimed = [
        client(**WRITES["claim"], lsid=one, txnNumber=1) for one in (session, other, session)
    ]
    assert [one["value"]["_id"] for one in claimed] == [1, 2, 1]


def test_a_number_that_has_passed_is_refused(connect, things, session):
    client = connect()
    client(**WRITES["claim"], lsid=session, txnNumber=5)
    reply = client(**WRITES["claim"], lsid=session, txnNumber=4)
    assert (reply["ok"], reply["codeName"]) == (0, "TransactionTooOld")


def test_a_write_that_failed_as_a_whole_is_tried_again(connect, things, session):
    client = connect()
    wrong = {"findAndModify": "things", "query": {"n": 0}, "update": {"$unheard": {"n": 1}}}
    assert client(**wrong, lsid=session, txnNumber=1)["ok"] == 0
    assert client(**WRITES["claim"], lsid=session, txnNumber=1)["value"]["_id"] == 1


def test_one_that_is_sent_again_while_it_is_carried_out_waits_for_its_answer(
    connect, things, session
):
    answers, together = [], threading.Barrier(8)

    def claim(client):
        together.wait(120)
        answers.append(client(**WRITES["claim"], lsid=session, txnNumber=1)["value"]["_id"])

    threads = [threading.Thread(target=claim, args=[connect()]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [1] * 8
    assert things.count_documents({"n": 1}) == 1
