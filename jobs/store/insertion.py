"""New documents on MongoDB, where one document at most holds a unique key."""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

DUPLICATE_KEY = 11000

Document = dict[str, Any]

#: What the server would say of a document whose unique key is held.
HELD: Document = {"keyPattern": {"unique_key": 1}}


class Insertion:
    """Inserts in the caller's transaction, whose `session` is None if there is none."""

    def __init__(self, collection: Collection[Document], session: Any):
        self._session = session
        self._collection = collection
        if session is not None:
            # A transaction has its own concerns, and MongoDB refuses others in it.
            self._collection = collection.with_options(
                read_concern=ReadConcern(), write_concern=WriteConcern()
            )

    def insert(self, documents: list[Document]) -> dict[int, Document]:
        """Returns what the server says of the documents that have a duplicate key, by
        their places.
        """
        if self._session is None:
            return self._try_all(documents)
        return self._insert_the_free(documents)

    def holders(self, keys: list[str]) -> dict[str, Document]:
        """The documents that hold the keys, by key."""
        # `$type` is the condition of the partial index. MongoDB doesn't conclude from a
        # text that it is one, and without this wouldn't use the index.
        held = {"unique_key": {"$in": keys, "$type": "string"}}
        found = self._collection.find(held, session=self._session)
        return {document["unique_key"]: document for document in found}

    def _try_all(self, documents: list[Document]) -> dict[int, Document]:
        try:
            self._insert(documents)
        except DuplicateKeyError as error:
            return {0: dict(error.details or {})}
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise
            return {failure["index"]: failure for failure in failures}
        return {}

    def _insert_the_free(self, documents: list[Document]) -> dict[int, Document]:
        """Looks for the keys first, because a duplicate would end the transaction."""
        keys = [document.get("unique_key") for document in documents]
        wanted = [key for key in keys if key is not None]
        taken = set(self.holders(wanted)) if wanted else set()
        refused: dict[int, Document] = {}
        for place, key in enumerate(keys):
            if key in taken:
                refused[place] = HELD
            elif key is not None:
                taken.add(key)
        if free := [one for place, one in enumerate(documents) if place not in refused]:
            self._insert(free)
        return refused

    def _insert(self, documents: list[Document]) -> None:
        if len(documents) == 1:
            self._collection.insert_one(documents[0], session=self._session)
        else:
            self._collection.insert_many(documents, ordered=False, session=self._session)
