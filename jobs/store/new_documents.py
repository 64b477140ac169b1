"""New documents of a store on MongoDB."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from django.db import IntegrityError
from pymongo.collection import Collection

from jobs.store.base import Store
from jobs.store.documents import Document, Documents
from jobs.store.insertion import Insertion
from jobs.store.reading import M, inserted
from jobs.store.uniqueness import is_duplicate_document, unique_column
from jobs.store.writing import Alike


class NewDocuments(Store[M]):
    """What a store on MongoDB inserts; its other writes are in `MongoStore`."""

    def __init__(self, model: type[M], alias: str):
        super().__init__(model, alias)
        self._documents = Documents(model)
        self._pk = self._documents.pk

    @property
    @abstractmethod
    def collection(self) -> Collection[Document]: ...

    @property
    @abstractmethod
    def session(self) -> Any:
        """The session of the transaction that the caller has open, or None."""

    @property
    def _insertion(self) -> Insertion:
        return Insertion(self.collection, self.session)

    def new_keys(self, number: int) -> list[Any]:
        return [ObjectId() for _ in range(number)]

    def insert(self, jobs: list[M], *, keys: bool = True) -> list[M]:
        keyless = [job for job in jobs if job.pk is None]
        for job, key in zip(keyless, self.new_keys(len(keyless)), strict=True):
            job.pk = key
        failures = self._insertion.insert(self._documents.of(jobs, self.connection))
        for place, failure in failures.items():
            if not self._is_held(jobs[place], failure):
                raise _refused(failure)
        refused = [jobs[place] for place in sorted(failures)]
        for job in refused:
            job.pk = None
        inserted((job for job in jobs if job.pk is not None), self.alias)
        return refused

    @property
    def inserts_alike(self) -> bool:
        return self._documents.makes_alike

    def insert_alike(self, rows: Alike, *, keys: bool) -> Sequence[Any]:
        made = self.new_keys(rows.number)
        documents = self._documents.alike(rows, made, self.connection)
        for failure in self._insertion.insert(documents).values():
            raise _refused(failure)
        return made

    def _is_held(self, job: Any, failure: dict[str, Any]) -> bool:
        """Whether its key is; the database may have named another index first."""
        column = unique_column(self.model)
        return column is not None and (
            is_duplicate_document(failure, column) or self.rival(job) is not None
        )


def _refused(failure: dict[str, Any]) -> IntegrityError:
    return IntegrityError(failure.get("errmsg", "A unique field is taken."))
