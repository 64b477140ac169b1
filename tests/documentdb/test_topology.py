"""Step-downs and failpoints, by which tests see what the queue makes of a failover."""

from __future__ import annotations

import threading

import pytest
from pymongo.errors import AutoReconnect, NotPrimaryError


@pytest.fixture
def failing(client):
    def failing(command, times, **how):
        client.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": times},
            data={"failCommands": [command], **how},
        )

    yield failing
    client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.mark.parametrize(
    "how", [{"errorCode": 10107}, {"closeConnection": True}, {"errorCode": 11602}], ids=str
)
def test_a_retryable_write_that_fails_once_is_made_good_by_the_driver(collection, failing, how):
    failing("insert", 1, **how)
    collection.insert_one({"_id": 1})
    assert collection.count_documents({}) == 1


@pytest.mark.parametrize("how", [{"errorCode": 10107}, {"closeConnection": True}], ids=str)
def test_one_that_fails_twice_is_not(collection, failing, how):
    failing("insert", 2, **how)
    with pytest.raises((NotPrimaryError, AutoReconnect)):
        collection.insert_one({"_id": 1})
    assert collection.count_documents({}) == 0


def test_a_write_concern_that_was_not_met_is_said_of_a_write_that_was_carried_out(
    collection, failing
):
    failing("update", 1, writeConcernError={"code": 11602, "errmsg": "stepped down"})
    collection.insert_one({"_id": 1, "n": 0})
    # The driver sends it again, and gets the answer of the first time.
    assert collection.update_one({"_id": 1}, {"$inc": {"n": 1}}).modified_count == 1
    assert collection.find_one({"_id": 1})["n"] == 1


@pytest.fixture
def primary(connect):
    """A client of the primary, which is one again after the test."""
    client = connect()
    yield client
    client(replSetFreeze=0)


def test_a_primary_that_steps_down_refuses_writes_and_reads_until_it_is_one_again(
    collection, primary
):
    primary(replSetStepDown=3600, force=True)
    hello = primary(hello=1)
    assert (hello["isWritablePrimary"], hello["secondary"]) == (False, True)
    assert primary(insert="things", documents=[{}])["codeName"] == "NotWritablePrimary"
    assert primary(find="things")["codeName"] == "NotPrimaryNoSecondaryOk"
    inserted = []
    # The driver waits for a primary.
    waiting = threading.Thread(target=lambda: inserted.append(collection.insert_one({"_id": 1})))
    waiting.start()
    assert inserted == []
    primary(replSetFreeze=0)
    waiting.join(120)
    assert [one.inserted_id for one in inserted] == [1]
    assert primary(hello=1)["isWritablePrimary"] is True


def test_monitors_hear_of_a_change_at_once(connect, primary):
    monitor = connect()

    def heard(known, **change):
        answers = []
        asked = {"hello": 1, "topologyVersion": known, "maxAwaitTimeMS": 60_000}
        thread = threading.Thread(target=lambda: answers.append(monitor(**asked)))
        thread.start()
        primary(**change)
        thread.join(120)
        [answer] = answers
        assert answer["topologyVersion"]["counter"] > known["counter"]
        return answer

    down = heard(primary(hello=1)["topologyVersion"], replSetStepDown=3600, force=True)
    assert down["isWritablePrimary"] is False
    assert heard(down["topologyVersion"], replSetFreeze=0)["isWritablePrimary"] is True
