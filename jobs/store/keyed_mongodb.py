"""Keyed rows on MongoDB, whose keys are the documents' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from jobs.store.insertion import DUPLICATE_KEY
from jobs.store.keyed import Keyed
from jobs.store.mongodb import MongoStore
from jobs.store.reading import M
from jobs.store.row_writes import Conditions

#: Two inserts of one document at once: the second is tried again, so often.
TRIES = 5


class MongoKeyed(Keyed[M]):
    store: MongoStore[M]

    def __init__(self, store: MongoStore[M]):
        super().__init__(store)
        self._documents = store._documents
        self._pk = self._documents.pk

    def put(self, rows: Sequence[M], rising: str) -> None:
        column = self._documents.column(rising)
        # One that is further inserts no second document of its key, but fails.
        self._write(
            [
                UpdateOne(
                    {self._pk: document[self._pk], column: {"$lte": document[column]}},
                    {"$set": _without(document, self._pk)},
                    upsert=True,
                )
                for document in self._of(rows)
            ],
            tries=2,
        )

    def insert_missing(self, rows: Sequence[M]) -> None:
        self._write(
            [
                UpdateOne(
                    {self._pk: document[self._pk]},
                    {"$setOnInsert": _without(document, self._pk)},
                    upsert=True,
                )
                for document in self._of(rows)
            ],
            tries=1,
        )

    def add(self, rows: Sequence[M], numbers: Sequence[str]) -> None:
        columns = [self._documents.column(name) for name in numbers]
        refused = self._write(
            [
                UpdateOne(
                    {self._pk: document[self._pk]},
                    {
                        "$inc": {one: document[one] for one in columns},
                        "$setOnInsert": _without(document, self._pk, *columns),
                    },
                    upsert=True,
                )
                for document in self._of(rows)
            ],
            tries=TRIES,
        )
        if refused:
            raise refused

    def _write(self, operations: list[Any], *, tries: int) -> BulkWriteError | None:
        """Writes them in one round trip; those that find their key taken, once more.

        Returns the error if there still are some after the last try.
        """
        collection = self.store.collection
        refused = None
        for _ in range(tries):
            if not operations:
                return None
            try:
                collection.bulk_write(operations, ordered=False)
                return None
            except BulkWriteError as error:
                failures = error.details["writeErrors"]
                if not failures or any(one["code"] != DUPLICATE_KEY for one in failures):
                    raise
                refused = error
                operations = [operations[failure["index"]] for failure in failures]
        return refused

    def _of(self, rows: Sequence[M]) -> list[dict[str, Any]]:
        return self._documents.of(rows, self.store.connection) if rows else []

    def sums(
        self, where: Conditions, by: Sequence[str], numbers: Sequence[str]
    ) -> list[dict[str, Any]]:
        names = {name: self._documents.column(name) for name in (*by, *numbers)}
        group = {
            "_id": {name: f"${names[name]}" for name in by} or None,
            **{name: {"$sum": f"${names[name]}"} for name in numbers},
        }
        found = self.store.collection.aggregate(
            [{"$match": self._documents.filter(where)}, {"$group": group}]
        )
        return [{**(one.pop("_id") or {}), **one} for one in found]


def _without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
