"""Results come page by page, whole and once, wherever the engine keeps them."""

from __future__ import annotations

import pytest
from pymongo.errors import CursorNotFound, OperationFailure

NUMBERS = list(range(500))


@pytest.fixture
def things(collection):
    collection.insert_many([{"_id": number, "n": number % 10} for number in NUMBERS])
    return collection


@pytest.mark.parametrize(
    "find",
    [
        pytest.param(lambda things: things.find({}, batch_size=7), id="as they are stored"),
        pytest.param(lambda things: things.find({}, batch_size=7).sort("n"), id="sorted"),
        pytest.param(
            lambda things: things.find({"n": {"$gte": 0}}, limit=500, batch_size=7), id="limited"
        ),
        pytest.param(
            lambda things: things.aggregate([{"$match": {}}], batchSize=7), id="by a pipeline"
        ),
        pytest.param(
            lambda things: things.aggregate([{"$group": {"_id": "$_id"}}], batchSize=7),
            id="grouped",
        ),
    ],
)
def test_each_document_is_found_once(things, find):
    assert sorted(one["_id"] for one in find(things)) == NUMBERS


def test_several_at_once_do_not_get_in_each_others_way(things):
    cursors = [things.find({}, batch_size=5).sort("n") for _ in range(10)]
    found = [[one["_id"] for one in row] for row in zip(*cursors, strict=True)]
    assert sorted(row[0] for row in found) == NUMBERS
    assert all(len(set(row)) == 1 for row in found)


@pytest.mark.parametrize(
    "options", [{}, {"sort": [("n", 1)]}], ids=["as they are stored", "sorted"]
)
def test_one_that_was_killed_is_gone(client, things, options):
    with things.find({}, batch_size=7, **options) as cursor:
        next(cursor)
        number = cursor.cursor_id
    with pytest.raises(CursorNotFound):
        client.gateway.command("getMore", number, collection="things")


def test_one_that_never_was_is_not_found(client):
    with pytest.raises(CursorNotFound):
        client.gateway.command("getMore", 2**40, collection="things")


def test_databases_keep_theirs_apart(client, things):
    cursor = things.find({}, batch_size=7)
    next(cursor)
    with pytest.raises(CursorNotFound):
        client.other.command("getMore", cursor.cursor_id, collection="things")


def test_change_streams_are_refused(things):
    with pytest.raises(OperationFailure, match="no change streams"):
        things.watch()
