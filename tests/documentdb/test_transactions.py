"""Transactions, as MongoDB documents them: all or nothing, unseen until then, and ended
by the first error.
"""

from __future__ import annotations

import threading

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure

from tests.documentdb.refusals import TRANSIENT

NO_SUCH_TRANSACTION = 251
WRITE_CONFLICT = 112


@pytest.fixture
def things(collection):
    collection.insert_many([{"_id": number, "n": 0} for number in range(1, 4)])
    return collection


@pytest.fixture
def session(client):
    with client.start_session() as session:
        yield session


def test_what_was_committed_is_there_and_was_not_seen_before(things, session):
    with session.start_transaction():
        things.insert_one({"_id": 9}, session=session)
        things.update_many({}, {"$inc": {"n": 1}}, session=session)
        things.find_one_and_delete({"_id": 1}, session=session)
        assert sorted(one["_id"] for one in things.find(session=session)) == [2, 3, 9]
        assert [one["n"] for one in things.find().sort("_id")] == [0, 0, 0]
    assert list(things.find().sort("_id")) == [
        {"_id": 2, "n": 1},
        {"_id": 3, "n": 1},
        {"_id": 9, "n": 1},
    ]


def test_what_was_aborted_never_was(things, session):
    session.start_transaction()
    things.delete_many({}, session=session)
    session.abort_transaction()
    assert things.count_documents({}) == 3


def test_it_reads_what_was_committed_when_it_began(things, session):
    with session.start_transaction():
        assert things.count_documents({}, session=session) == 3
        things.insert_one({"_id": 9})
        assert things.count_documents({}, session=session) == 3
        assert sum(1 for _ in things.find({}, session=session, batch_size=2)) == 3
    assert things.count_documents({}) == 4


def test_a_commit_whose_answer_was_lost_is_told_again(things, session):
    session.start_transaction()
    things.insert_one({"_id": 9}, session=session)
    session.commit_transaction()
    session.commit_transaction()
    assert things.find_one({"_id": 9})


def test_of_two_that_write_one_document_the_second_fails_at_once_and_may_be_tried_again(
    client, things, session
):
    session.start_transaction()
    things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    with client.start_session() as other:
        other.start_transaction()
        with pytest.raises(OperationFailure) as raised:
            things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=other)
        assert raised.value.code == WRITE_CONFLICT
        assert raised.value.has_error_label(TRANSIENT)
        session.commit_transaction()
        other.abort_transaction()
        other.with_transaction(
            lambda own: things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=own)
        )
    assert things.find_one({"_id": 1})["n"] == 2


def test_a_document_that_changed_since_it_began_is_a_conflict(things, session):
    session.start_transaction()
    assert things.find_one({"_id": 1}, session=session)["n"] == 0
    things.update_one({"_id": 1}, {"$inc": {"n": 1}})
    with pytest.raises(OperationFailure) as raised:
        things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    assert (raised.value.code, raised.value.has_error_label(TRANSIENT)) == (WRITE_CONFLICT, True)


def test_a_write_outside_waits_for_its_end(things, session):
    session.start_transaction()
    things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    begun, done = threading.Event(), []

    def write():
        begun.set()
        done.append(things.update_one({"_id": 1}, {"$inc": {"n": 1}}).modified_count)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(120)
    assert not done
    session.commit_transaction()
    thread.join(120)
    assert done == [1]
    assert things.find_one({"_id": 1})["n"] == 2


def test_a_duplicate_key_ends_it(things, session):
    session.start_transaction()
    things.insert_one({"_id": 9}, session=session)
    with pytest.raises(DuplicateKeyError):
        things.insert_one({"_id": 1}, session=session)
    with pytest.raises(OperationFailure) as raised:
        things.insert_one({"_id": 10}, session=session)
    assert (raised.value.code, raised.value.has_error_label(TRANSIENT)) == (
        NO_SUCH_TRANSACTION,
        True,
    )
    with pytest.raises(OperationFailure) as raised:
        session.commit_transaction()
    assert raised.value.code == NO_SUCH_TRANSACTION
    assert things.count_documents({}) == 3


def test_a_command_that_fails_ends_it(things, session):
    session.start_transaction()
    things.insert_one({"_id": 9}, session=session)
    with pytest.raises(OperationFailure):
        things.find_one({"n": {"$unheard": 1}}, session=session)
    with pytest.raises(OperationFailure) as raised:
        session.commit_transaction()
    assert raised.value.code == NO_SUCH_TRANSACTION
    assert things.count_documents({}) == 3


def test_one_that_its_session_leaves_open_ends_with_that(client, things):
    with client.start_session() as left:
        left.start_transaction()
        things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=left)
    assert things.update_one({"_id": 1}, {"$inc": {"n": 2}}).modified_count == 1
    assert things.find_one({"_id": 1})["n"] == 2


def test_a_retryable_write_and_a_transaction_share_the_sessions_numbers(things, session):
    things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    with session.start_transaction():
        things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
    assert things.find_one({"_id": 1})["n"] == 3
