"""Two writes of one document at once: both are carried out, one after the other."""

from __future__ import annotations

import threading

import pytest


@pytest.mark.parametrize("by", ["delete_one", "find_one_and_delete", "update_one"])
def test_a_condition_that_holds_before_and_after_another_write_holds(collection, by):
    """The server repeats what met another write, as MongoDB's documentation has it."""
    collection.insert_many([{"_id": f"held{number}", "a": 1} for number in range(60)])
    stopping = threading.Event()

    def renew() -> None:
        while not stopping.is_set():
            collection.update_many({"a": 1}, {"$inc": {"renewed": 1}})

    threads = [threading.Thread(target=renew) for _ in range(2)]
    for thread in threads:
        thread.start()
    found = 0
    try:
        for number in range(60):
            where = {"_id": f"held{number}", "a": 1}
            if by == "delete_one":
                found += collection.delete_one(where).deleted_count
            elif by == "update_one":
                found += collection.update_one(where, {"$set": {"a": 2}}).matched_count
            else:
                found += collection.find_one_and_delete(where) is not None
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)
    assert found == 60
