"""djongo: the queue speaks MongoDB's protocol and goes round djongo's SQL.

The translation from SQL can do neither a claim nor a conditional write.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from pymongo import ReturnDocument
from pymongo.database import Database

from jobs.store.mongodb import MongoStore
from jobs.store.reading import M


class DjongoStore(MongoStore[M]):
    @property
    def session(self) -> None:
        """None, because djongo has no transactions."""

    @property
    def database(self) -> Database[dict[str, Any]]:
        self.connection.ensure_connection()
        return self.connection.connection

    def new_keys(self, number: int) -> list[Any]:
        """Whole numbers, from the sequence that djongo keeps for its own inserts."""
        sequence: Any = self.database["__schema__"].find_one_and_update(
            {"name": self.model._meta.db_table, "auto": {"$exists": True}},
            {"$inc": {"auto.seq": number}},
            return_document=ReturnDocument.AFTER,
        )
        last = int(sequence["auto"]["seq"])
        return list(range(last - number + 1, last + 1))

    def count_rows(self, rows: models.QuerySet[M], limit: int) -> int:
        # djongo counts no subqueries.
        return len(rows.values_list("pk", flat=True)[:limit])

    def searchable(self, text: str) -> str:
        """A regular expression, because djongo takes it for one. Brackets, because
        Django would escape a backslash once more.
        """
        return re.sub(r"[\^%]", ".", re.sub(r"[.$|?*+(){}\[]", r"[\g<0>]", text))


def make_unique_where_given(connection: Any, table: str, column: str) -> None:
    """Makes the unique index that djongo can't make.

    djongo's own would allow one null only, and for a UniqueConstraint of a new table it
    makes none at all.
    """
    connection.ensure_connection()
    collection = connection.connection[table]
    for name, index in collection.index_information().items():
        if index.get("unique") and [key for key, _ in index["key"]] == [column]:
            collection.drop_index(name)
    given = {column: {"$type": "string"}}
    collection.create_index(
        [(column, 1)], name=f"{column}_where_given", unique=True, partialFilterExpression=given
    )
