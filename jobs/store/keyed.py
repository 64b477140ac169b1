"""Rows with a key that says what they are about: written whether or not they are there.

None of them is a job. They are written off the path of jobs, and never in anybody's
transaction on MongoDB.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic

from jobs.store import store_for
from jobs.store.base import Store
from jobs.store.reading import M
from jobs.store.row_writes import Conditions


class Keyed(ABC, Generic[M]):
    """The rows of one model, whose primary key isn't the database's to give."""

    def __init__(self, store: Store[M]):
        self.store = store
        self.model = store.model

    @abstractmethod
    def put(self, rows: Sequence[M], rising: str) -> None:
        """Inserts the rows; one that is there is replaced.

        Not if the value of its column `rising` is higher: then it stays as it is.
        """

    @abstractmethod
    def insert_missing(self, rows: Sequence[M]) -> None:
        """Inserts the rows; one that is there stays as it is."""

    @abstractmethod
    def add(self, rows: Sequence[M], numbers: Sequence[str]) -> None:
        """Adds the columns `numbers` of the rows to those that are there, and inserts
        the others.

        In whatever number of statements; those of several processes add up.
        """

    @abstractmethod
    def sums(
        self, where: Conditions, by: Sequence[str], numbers: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The sums of `numbers` over the rows that are as `where` says, for each
        combination of the columns `by`.

        What somebody wrote that isn't of its column's type may raise an error, or be in
        the answer.
        """

    def sums_of_rows(
        self, where: Conditions, by: Sequence[str], numbers: Sequence[str], most: int
    ) -> list[dict[str, Any]]:
        """The same of `most` rows, read one by one.

        A number that can't be read counts as its column's default; a row is left out if
        nobody can tell whether it is as `where` says.
        """
        asked = {key.partition("__")[0] for key in where}
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in self.store.find(where, most):
            if asked.intersection(getattr(row, "unreadable", ())):
                continue
            names = {name: getattr(row, name) for name in by}
            sums = found.setdefault(tuple(names.values()), {**names, **dict.fromkeys(numbers, 0)})
            for name in numbers:
                value = getattr(row, name)
                sums[name] += value if math.isfinite(value) else 0
        return list(found.values())


def keyed_for(model: type[M]) -> Keyed[M]:
    """The keyed rows of a model, in the database that the routers name for writing."""
    store: Any = store_for(model)
    if store.keeps_documents:
        from jobs.store.keyed_mongodb import MongoKeyed

        return MongoKeyed(store)
    from jobs.store.keyed_sql import SqlKeyed

    return SqlKeyed(store)
