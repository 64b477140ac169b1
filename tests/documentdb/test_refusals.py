"""Errors have MongoDB's codes, by which drivers and Django's backend know them."""

from __future__ import annotations

import pytest
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

REFUSED = {
    "an unknown command": (59, {"unheard": 1}),
    "an unknown operator": (2, {"find": "things", "filter": {"n": {"$unheard": 1}}}),
    "an unknown stage": (
        40324,
        {"aggregate": "things", "pipeline": [{"$unheard": 1}], "cursor": {}},
    ),
    "an index of another kind under a name that is taken": (
        86,
        {"createIndexes": "things", "indexes": [{"key": {"other": 1}, "name": "n"}]},
    ),
    "an index that isn't there": (27, {"dropIndexes": "things", "index": "unheard"}),
    "a plan of what has none": (59, {"explain": {"unheard": 1}}),
}


@pytest.fixture
def things(collection):
    collection.insert_one({"_id": 1, "n": 1})
    collection.create_index("n", name="n", unique=True)
    return collection


@pytest.mark.parametrize(("code", "command"), REFUSED.values(), ids=REFUSED)
def test_a_command_that_is_refused_says_why(client, things, code, command):
    with pytest.raises(OperationFailure) as raised:
        client.gateway.command(command)
    assert raised.value.code == code


def test_a_duplicate_is_one_however_it_is_written(things):
    with pytest.raises(DuplicateKeyError, match="E11000"):
        things.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError):
        things.insert_one({"_id": 2, "n": 1})
    things.insert_one({"_id": 2, "n": 2})
    with pytest.raises(DuplicateKeyError):
        things.update_one({"_id": 2}, {"$set": {"n": 1}})
    with pytest.raises(DuplicateKeyError):
        things.find_one_and_update({"_id": 2}, {"$set": {"n": 1}})


def test_of_several_documents_those_that_are_refused_are_named(things):
    with pytest.raises(BulkWriteError) as raised:
        things.insert_many([{"_id": 1}, {"_id": 3, "n": 3}, {"_id": 4, "n": 1}], ordered=False)
    assert raised.value.details["nInserted"] == 1
    assert [(one["index"], one["code"]) for one in raised.value.details["writeErrors"]] == [
        (0, 11000),
        (2, 11000),
    ]


def test_an_index_that_the_documents_contradict_is_not_made(collection):
    collection.insert_many([{"n": 1}, {"n": 1}])
    with pytest.raises(DuplicateKeyError):
        collection.create_index("n", unique=True)
    assert list(collection.index_information()) == ["_id_"]


def test_a_partial_index_with_several_conditions_on_a_field_holds_for_those_alone(collection):
    conditions = {"kind": {"$gte": "a", "$lt": "n"}, "n": {"$gte": 0}}
    collection.create_index(
        [("kind", 1), ("n", 1)], unique=True, partialFilterExpression=conditions
    )
    free = [{"kind": None, "n": 1}, {"kind": "z", "n": 1}, {"kind": "a", "n": -1}]
    for one in [*free, *free]:
        collection.insert_one(dict(one))
    collection.insert_one({"kind": "a", "n": 1})
    with pytest.raises(DuplicateKeyError):
        collection.insert_one({"kind": "a", "n": 1})
