"""The SQL of one table, written out.

Compiling a query set for every job would take longer than the database takes for the
job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

from jobs.store.base import Conditions

if TYPE_CHECKING:
    from jobs.store.base import Reserver

#: A statement and its parameters. Names in the text come from the model; every value is
#: a parameter.
Sql = tuple[str, dict[str, Any]]

COMPARISONS = {"": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

UPDATE = "UPDATE {table} SET {changes} WHERE {conditions}"
SELECT = "SELECT {column} FROM {table} WHERE {conditions}"
DELETE = "DELETE FROM {table} WHERE {conditions}"

#: The next jobs are locked and returned by one statement. PostgreSQL passes over rows
#: that another worker is just locking. It makes the array once, but might read a
#: subquery again for every row, and so lock more rows than the limit.
CLAIM = {
    "postgresql": """
        UPDATE {table} SET {changes}
        WHERE {pk} = ANY(ARRAY(
            SELECT {pk} FROM {table} WHERE {conditions}
            ORDER BY {priority}, {run_at}, {pk} LIMIT %(most)s
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING {columns}
    """,
    "sqlite": """
        UPDATE {table} SET {changes}
        WHERE {pk} IN (
            SELECT {pk} FROM {table} WHERE {conditions}
            ORDER BY {priority}, {run_at}, {pk} LIMIT %(most)s
        )
        RETURNING {columns}
    """,
}
#: A worker that performs jobs itself becomes the runner in the claim.
RUNNER = "{runner} = CAST(%(worker)s AS varchar) || CAST({epoch} AS varchar)"


class Statements:
    """The statements that decide something: each one text, executed by itself."""

    def __init__(self, model: type[models.Model], connection: Any):
        meta: Any = model._meta
        quote = connection.ops.quote_name
        self._connection = connection
        self._fields: dict[str, Any] = {field.attname: field for field in meta.concrete_fields}
        self._fields["pk"] = meta.pk
        self._columns = {name: quote(field.column) for name, field in self._fields.items()}
        named = ("pk", "priority", "run_at", "runner", "epoch")
        self._names = {
            **{name: self._columns[name] for name in named if name in self._columns},
            "table": quote(meta.db_table),
            "columns": ", ".join(quote(field.column) for field in meta.concrete_fields),
        }

    def update(self, where: Conditions, changes: Mapping[str, Any]) -> Sql:
        assigned, values = self._assignments(changes)
        conditions, parameters = self._conditions(where)
        text = UPDATE.format(**self._names, changes=assigned, conditions=conditions)
        return text, {**values, **parameters}

    def select_one(self, name: str, pk: Any) -> Sql:
        """One column of one row."""
        conditions, parameters = self._conditions({"pk": pk})
        column = self._columns[name]
        return SELECT.format(**self._names, column=column, conditions=conditions), parameters

    def delete(self, where: Conditions) -> Sql:
        conditions, parameters = self._conditions(where)
        return DELETE.format(**self._names, conditions=conditions), parameters

    def claim(
        self, worker: Reserver, where: Conditions, changes: Mapping[str, Any], limit: int
    ) -> Sql:
        assigned, values = self._assignments(changes)
        conditions, parameters = self._conditions(where)
        if not worker.hands_over:
            assigned += ", " + RUNNER.format(**self._names)
            values["worker"] = f"{worker.name}@"
        template = CLAIM[self._connection.vendor]
        text = template.format(**self._names, changes=assigned, conditions=conditions)
        return text, {**values, **parameters, "most": limit}

    def _conditions(self, where: Conditions) -> Sql:
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        for key, value in where.items():
            name, _, operator = key.partition("__")
            column, field = self._columns[name], self._fields[name]
            if name == "state" and not operator and value.isalpha():
                # Written out, so that the planner sees which partial index serves it.
                parts.append(f"{column} = '{value}'")
            elif operator == "in":
                items = {f"{key}_{index}": item for index, item in enumerate(value)}
                listed = ", ".join(f"%({each})s" for each in items) or "NULL"
                parts.append(f"{column} IN ({listed})")
                parameters.update(
                    (each, self._prepared(field, item)) for each, item in items.items()
                )
            elif value is None:
                parts.append(f"{column} IS NULL")
            else:
                parts.append(f"{column} {COMPARISONS[operator]} %({key})s")
                parameters[key] = self._prepared(field, value)
        return " AND ".join(parts) or "1 = 1", parameters

    def _assignments(self, changes: Mapping[str, Any]) -> Sql:
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        prepared: dict[tuple[type, int], Any] = {}  # a claim writes one instant several times
        for name, value in changes.items():
            field = self._fields[name]
            known = type(field), id(value)
            if known not in prepared:
                prepared[known] = self._prepared(field, value)
            parts.append(f"{self._columns[name]} = %(new_{name})s")
            parameters[f"new_{name}"] = prepared[known]
        return ", ".join(parts), parameters

    def _prepared(self, field: Any, value: Any) -> Any:
        return None if value is None else field.get_db_prep_save(value, self._connection)
