"""The documents of one collection: conditions, changes and rows, as MongoDB has them.

All conditions are on plain top-level fields, so that an index serves them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import models

from jobs.store.base import RAISED
from jobs.store.reserver import of_queues
from jobs.store.writing import Alike, Stored, Writer

if TYPE_CHECKING:
    from jobs.store.columns import Column
    from jobs.store.reserver import Reserver
    from jobs.store.row_writes import Conditions

Document = dict[str, Any]

#: No condition would find the default in the place of these, if a document lacks one.
NEVER_ADDED = ("epoch", "locked_by")


class Documents:
    def __init__(self, model: type[models.Model]):
        meta: Any = model._meta
        self.pk: str = meta.pk.column
        self._pk_name: str = meta.pk.attname
        self._columns: dict[str, str] = {
            field.attname: field.column for field in meta.concrete_fields
        }
        self._columns["pk"] = self.pk
        self._names = [field.column for field in meta.concrete_fields]
        self._writer = Writer(model)
        #: Whether `alike` can make them.
        self.makes_alike = not self._writer.computes

    def column(self, name: str) -> str:
        return self._columns[name]

    def filter(self, where: Conditions) -> Document:
        found: Document = {}
        for key, value in where.items():
            name, _, operator = key.partition("__")
            if "|" in name:
                columns = [self._columns[one] for one in name.split("|")]
                texts = [_condition(operator, text) for text in value]
                found["$or"] = [{column: text} for column in columns for text in texts]
                continue
            wanted = _condition(operator, value)
            other = found.get(column := self._columns[name])
            both = {**other, **wanted} if isinstance(other, dict) and operator else wanted
            found[column] = both
        return found

    def one(self, pk: Any, where: Conditions) -> Document:
        return {self.pk: pk, **self.filter(where)}

    def changes(self, changes: Mapping[str, Any]) -> Document | list[Document]:
        assigned = {self._columns[name]: value for name, value in changes.items()}
        if all(value is not RAISED for value in changes.values()):
            return {"$set": assigned}
        return [{"$set": {name: _assigned(name, value) for name, value in assigned.items()}}]

    def wanted(self, state: str, worker: Reserver) -> Document:
        """What a job must be for `worker` to claim it."""
        wanted: Document = {"state": state}
        for key, names in of_queues(state, worker).items():
            name, _, operator = key.partition("__")
            is_one = operator == "in" and len(names) == 1
            wanted[name] = names[0] if is_one else {f"${operator}": list(names)}
        # Priorities are whole numbers; SecantusDB leaves out the upper bound of `$lte`
        # where it reads a compound index.
        bounds = {
            "$gte": worker.min_priority,
            "$lt": None if worker.max_priority is None else worker.max_priority + 1,
        }
        if any(bound is not None for bound in bounds.values()):
            wanted["priority"] = {
                operator: bound for operator, bound in bounds.items() if bound is not None
            }
        return wanted

    def lock(self, worker: Reserver, changes: Mapping[str, Any]) -> list[Document]:
        """The changes of a claim: a worker that performs jobs becomes the runner."""
        # Literals, because a worker's name may start with a dollar sign.
        assigned: Document = {key: {"$literal": value} for key, value in changes.items()}
        if not worker.hands_over:
            # Not $toString: an epoch that somebody made a list would refuse the claim.
            epoch = {"input": "$epoch", "to": "string", "onError": "?", "onNull": "?"}
            assigned["runner"] = {"$concat": [{"$literal": f"{worker.name}@"}, {"$convert": epoch}]}
        return [{"$set": assigned}]

    def of(self, rows: Sequence[models.Model], connection: Any) -> list[Document]:
        """New documents, the primary key first."""
        if len(rows) == 1:
            values = self._writer.row(rows[0], connection)
            return [dict(zip(self._names, values, strict=True))]
        return self._made(self._writer.columns(rows, connection))

    def alike(self, rows: Alike, keys: Sequence[Any], connection: Any) -> list[Document]:
        """New documents with these keys that are nearly alike."""
        differing = {**rows.differing, self._pk_name: keys}
        return self._made(self._writer.alike(rows._replace(differing=differing), connection))

    def _made(self, columns: Sequence[Stored]) -> list[Document]:
        common = {column.field.column: column.value for column in columns if column.values is None}
        names = [column.field.column for column in columns if column.values is not None]
        differing = [column.values for column in columns if column.values is not None]
        return [
            {**dict(zip(names, values, strict=True)), **common}
            for values in zip(*differing, strict=True)
        ]

    def values(self, document: Document, columns: Sequence[Column]) -> list[Any]:
        """The values of all columns, in their order.

        A field that the document lacks was added to the model after it was written.
        """
        return [
            document.get(column.field.column)
            if column.field.column in document or column.name in NEVER_ADDED
            else column.substitute()
            for column in columns
        ]


def _assigned(column: str, value: Any) -> Document:
    if value is not RAISED:
        return {"$literal": value}
    # Not $inc: a value that isn't a number would end the write to all the others.
    number = {"input": f"${column}", "to": "long", "onError": 0, "onNull": 0}
    return {"$add": [{"$convert": number}, 1]}


def _condition(operator: str, value: Any) -> Any:
    if not operator:
        return value
    if operator == "icontains":
        return {"$regex": re.escape(value), "$options": "i"}
    return {f"${operator}": value}
