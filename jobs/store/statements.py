"""The SQL of one table, written out.

Compiling a query set for every job would take longer than the database takes for the
job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

from jobs.store.base import RAISED, Conditions
from jobs.store.writing import PLAIN

if TYPE_CHECKING:
    from jobs.store.reserver import Reserver

#: A statement and its parameters. Names in the text come from the model; every value is
#: a parameter.
Sql = tuple[str, dict[str, Any]]

COMPARISONS = {"": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

UPDATE = "UPDATE {table} SET {changes} WHERE {conditions}"
SELECT = "SELECT {selected} FROM {table} WHERE {conditions}"
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
        self._fields_in_order = [field.attname for field in meta.concrete_fields]
        # An expression, because the driver of SQLite makes something else of a column's
        # value by the type that the table declares: null, where text is no instant.
        self.raw = "+" if connection.vendor == "sqlite" else ""
        named = ("pk", "priority", "run_at", "runner", "epoch")
        self._names = {
            **{name: self._columns[name] for name in named if name in self._columns},
            "table": quote(meta.db_table),
            "columns": ", ".join(quote(field.column) for field in meta.concrete_fields),
        }

    def update(self, where: Conditions, changes: Mapping[str, Any]) -> Sql:
        assigned, values = self._assignments(changes)
        conditions, parameters = self.conditions(where)
        text = UPDATE.format(**self._names, changes=assigned, conditions=conditions)
        return text, {**values, **parameters}

    def select(
        self,
        where: Conditions,
        *,
        names: Iterable[str] | None = None,
        order: str = "",
        limit: int | None = None,
    ) -> Sql:
        """Rows as the database holds them: all columns, or those of `names`."""
        conditions, parameters = self.conditions(where)
        chosen = self._fields_in_order if names is None else names
        selected = ", ".join(self.raw + self._columns[name] for name in chosen)
        text = SELECT.format(**self._names, selected=selected, conditions=conditions)
        if order:
            text += self.order_by([order])
        if limit is not None:
            text += f" {self._connection.ops.limit_offset_sql(0, limit)}"
        return text, parameters

    def order_by(self, names: Iterable[str]) -> str:
        """Of fields, descending where one begins with `-`."""
        parts = [
            f"{self._columns[name.removeprefix('-')]} {'DESC' if name[0] == '-' else 'ASC'}"
            for name in names
        ]
        return f" ORDER BY {', '.join(parts)}" if parts else ""

    def delete(self, where: Conditions) -> Sql:
        conditions, parameters = self.conditions(where)
        return DELETE.format(**self._names, conditions=conditions), parameters

    def claim(
        self, worker: Reserver, where: Conditions, changes: Mapping[str, Any], limit: int
    ) -> Sql:
        assigned, values = self._assignments(changes)
        conditions, parameters = self.conditions(where)
        if not worker.hands_over:
            assigned += ", " + RUNNER.format(**self._names)
            values["worker"] = f"{worker.name}@"
        template = CLAIM[self._connection.vendor]
        text = template.format(**self._names, changes=assigned, conditions=conditions)
        return text, {**values, **parameters, "most": limit}

    def column(self, name: str) -> str:
        return self._columns[name]

    def field(self, name: str) -> Any:
        return self._fields[name]

    def conditions(self, where: Conditions, prefix: str = "") -> Sql:
        """`prefix` keeps the parameters apart from those of other conditions."""
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        for condition, value in where.items():
            name, _, operator = condition.partition("__")
            key = prefix + condition.replace("|", "_")
            if "|" in name:
                texts = {f"{key}_{index}": self._pattern(one) for index, one in enumerate(value)}
                columns = [self._columns[one] for one in name.split("|")]
                found = [self._contains(column, one) for column in columns for one in texts]
                parts.append(f"({' OR '.join(found)})")
                parameters.update(texts)
                continue
            column, field = self._columns[name], self._fields[name]
            if name == "state" and not operator and value.isalpha():
                # Written out, so that the planner sees which partial index serves it.
                parts.append(f"{column} = '{value}'")
            elif operator in ("in", "nin"):
                items = {f"{key}_{index}": item for index, item in enumerate(value)}
                listed = ", ".join(f"%({each})s" for each in items) or "NULL"
                parts.append(f"{column} {'NOT IN' if operator == 'nin' else 'IN'} ({listed})")
                parameters.update(
                    (each, self._prepared(field, item)) for each, item in items.items()
                )
            elif operator == "icontains":
                parts.append(self._contains(column, key))
                parameters[key] = self._pattern(value)
            elif value is None:
                parts.append(f"{column} IS NULL")
            else:
                parts.append(f"{column} {COMPARISONS[operator]} %({key})s")
                parameters[key] = self._prepared(field, value)
        return " AND ".join(parts) or "1 = 1", parameters

    def _pattern(self, text: str) -> str:
        return f"%{self._connection.ops.prep_for_like_query(text)}%"

    def _contains(self, column: str, key: str) -> str:
        operator = self._connection.operators["icontains"] % f"%({key})s"
        return f"{self._connection.ops.lookup_cast('icontains') % column} {operator}"

    def _assignments(self, changes: Mapping[str, Any]) -> Sql:
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        prepared: dict[tuple[type, int], Any] = {}  # a claim writes one instant several times
        for name, value in changes.items():
            field = self._fields[name]
            if value is RAISED:
                parts.append(f"{self._columns[name]} = {self._columns[name]} + 1")
                continue
            known = type(field), id(value)
            if known not in prepared:
                prepared[known] = self._prepared(field, value)
            parts.append(f"{self._columns[name]} = %(new_{name})s")
            parameters[f"new_{name}"] = prepared[known]
        return ", ".join(parts), parameters

    def _prepared(self, field: Any, value: Any) -> Any:
        if value is None or (type(value) is str and PLAIN.get(type(field)) is str):
            return value
        return field.get_db_prep_save(value, self._connection)
