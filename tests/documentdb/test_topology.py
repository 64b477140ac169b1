"""Step-downs and failpoints, by which tests see what the queue makes of a failover."""

from __future__ import annotations

import threading
import time

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


def test_a_primary_that_steps_down_refuses_writes_and_reads_until_it_is_one_again(
    collection, connect
):
    client = connect()
    client(replSetStepDown=2, force=True)
    stepped_down = time.monotonic()
    hello = client(hello=1)
    assert (hello["isWritablePrimary"], hello["secondary"]) == (False, True)
    assert client(insert="things", documents=[{}])["codeName"] == "NotWritablePrimary"
    assert client(find="things")["codeName"] == "NotPrimaryNoSecondaryOk"
    # The driver waits for a primary.
    collection.insert_one({"_id": 1})
    assert time.monotonic() > stepped_down + 1.5
    assert client(hello=1)["isWritablePrimary"] is True


def test_monitors_hear_of_a_change_at_once(connect):
    client, monitor = connect(), connect()
    known = client(hello=1)["topologyVersion"]
    heard = []
    thread = threading.Thread(
        target=lambda: heard.append(monitor(hello=1, topologyVersion=known, maxAwaitTimeMS=60_000))
    )
    thread.start()
    client(replSetStepDown=1, force=True)
    thread.join(30)
    assert heard[0]["topologyVersion"]["counter"] > known["counter"]
    known = heard[0]["topologyVersion"]
    assert (
        monitor(hello=1, topologyVersion=known, maxAwaitTimeMS=60_000)["isWritablePrimary"] is True
    )
