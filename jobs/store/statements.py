"""SQL of one table, written out: to compile a query set for every job would take longer than the database takes for the job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from jobs.store.base import Conditions

COMPARISONS = {"lt": "<", "lte": "<=", "gte": ">="}

#: A piece of SQL and its parameters. Names in the text come from the model; everything else is a parameter.
Sql = tuple[str, list[Any]]


class Statements:
    """The statements that decide something: each one text, executed by itself."""

    def __init__(self, model: type[models.Model], connection: Any):
        meta: Any = model._meta
        quote = connection.ops.quote_name
        self._connection = connection
        self.table: str = quote(meta.db_table)
        self.pk: str = quote(meta.pk.column)
        self._fields: dict[str, tuple[str, Any]] = {
            field.attname: (quote(field.column), field) for field in meta.concrete_fields
        }
        self._fields["pk"] = (self.pk, meta.pk)
        self.columns: str = ", ".join(quote(field.column) for field in meta.concrete_fields)

    def column(self, name: str) -> str:
        return self._fields[name][0]

    def where(self, conditions: Conditions) -> Sql:
        parts, parameters = [], []
        for key, value in conditions.items():
            name, _, operator = key.partition("__")
            column, field = self._fields[name]
            if name == "state" and not operator and value.isalpha():
                # Written out, so that a partial index is seen to serve it without a look at the parameters.
                parts.append(f"{column} = '{value}'")
            elif operator == "in":
                parts.append(f"{column} IN ({', '.join(['%s'] * len(value)) or 'NULL'})")
                parameters += [self._prepared(field, item) for item in value]
            elif value is None:
                parts.append(f"{column} IS NULL")
            else:
                parts.append(f"{column} {COMPARISONS[operator] if operator else '='} %s")
                parameters.append(self._prepared(field, value))
        return " AND ".join(parts) or "1 = 1", parameters

    def update(
        self, conditions: Conditions, changes: Mapping[str, Any], *, raise_epoch: bool = False
    ) -> Sql:
        assigned, parameters = self.assignments(changes)
        if raise_epoch:
            assigned += f", {self.column('epoch')} = {self.column('epoch')} + 1"
        where, values = self.where(conditions)
        return f"UPDATE {self.table} SET {assigned} WHERE {where}", parameters + values  # noqa: S608

    def assignments(self, changes: Mapping[str, Any]) -> Sql:
        text, parameters = [], []
        prepared: dict[tuple[type, int], Any] = {}  # a claim writes one instant into several fields
        for name, value in changes.items():
            column, field = self._fields[name]
            text.append(f"{column} = %s")
            known = type(field), id(value)
            if known not in prepared:
                prepared[known] = self._prepared(field, value)
            parameters.append(prepared[known])
        return ", ".join(text), parameters

    def delete(self, conditions: Conditions) -> Sql:
        where, parameters = self.where(conditions)
        return f"DELETE FROM {self.table} WHERE {where}", parameters  # noqa: S608

    def _prepared(self, field: Any, value: Any) -> Any:
        return None if value is None else field.get_db_prep_save(value, self._connection)
