"""The SQL of one table, written out.

Compiling a query set for every job would take longer than the database takes for the
job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

from jobs.store.base import RAISED
from jobs.store.row_writes import Conditions
from jobs.store.writing import PLAIN, prepared

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
            SELECT {pk} FROM {table} WHERE {conditions}{but}
            ORDER BY {priority}, {run_at}, {pk} LIMIT {most}
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING {columns}
    """,
    "sqlite": """
        UPDATE {table} SET {changes}
        WHERE {pk} IN (
            SELECT {pk} FROM {table} WHERE {conditions}{but}
            ORDER BY {priority}, {run_at}, {pk} LIMIT {most}
        )
        RETURNING {columns}
    """,
}
#: On PostgreSQL, a write of one row and a claim that see the same rows. It returns how
#: many rows the first has found, and beside it the job, if there is one.
END_AND_CLAIM = """
    WITH ended AS ({end} RETURNING 1), claimed AS ({claim})
    SELECT (SELECT count(*) FROM ended), claimed.*
    FROM (SELECT 1) AS always LEFT JOIN claimed ON TRUE
"""
#: A worker that performs jobs itself becomes the runner in the claim.
RUNNER = "{runner} = CAST({worker} AS varchar) || CAST({epoch} AS varchar)"
#: How a statement names a parameter: as SQLite's driver reads it, so that Django need
#: not write the text anew each time, or as all others' do.
MARKS = {"sqlite": ":{}"}
MARK = "%({})s"
#: Claims whose texts are kept.
MOST_KEPT = 256


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
        # value by the type that the table declares: null, where text isn't an instant.
        self.raw = "+" if connection.vendor == "sqlite" else ""
        self.mark = MARKS.get(connection.vendor, MARK).format
        # Of whole numbers, PostgreSQL is told how large their columns are.
        self._plain = (int, str) if connection.vendor == "sqlite" else (str,)
        self._claims: dict[tuple[Any, ...], Sql] = {}
        named = ("pk", "priority", "run_at", "runner", "epoch")
        self._names = {
            **{name: self._columns[name] for name in named if name in self._columns},
            "table": quote(meta.db_table),
            "columns": ", ".join(self.raw + quote(field.column) for field in meta.concrete_fields),
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
        self,
        worker: Reserver,
        where: Conditions,
        changes: Mapping[str, Any],
        limit: int,
        but: Any = None,
    ) -> Sql:
        """The text is made once for a worker: only the instants differ, which are all
        that of `locked_at`, and the key `but` of a row that is left out.
        """
        key = (worker.name, worker.hands_over, limit, but is None, *where.items())
        if (known := self._claims.get(key)) is None:
            if len(self._claims) >= MOST_KEPT:
                self._claims.clear()
            known = self._claims[key] = self._claim(worker, where, changes, limit, but)
        text, parameters = known
        now = self._prepared(self._fields["locked_at"], changes["locked_at"])
        left_out = {} if but is None else {"but": self._prepared(self._fields["pk"], but)}
        return text, {**parameters, "now": now, **left_out}

    def _claim(
        self,
        worker: Reserver,
        where: Conditions,
        changes: Mapping[str, Any],
        limit: int,
        but: Any,
    ) -> Sql:
        now = changes["locked_at"]
        fixed = {name: value for name, value in changes.items() if value is not now}
        assigned, values = self._assignments(fixed, "claimed_")
        for name in (name for name in changes if name not in fixed):
            assigned += f", {self._columns[name]} = {self.mark('now')}"
        conditions, parameters = self.conditions(where, "wanted_")
        if not worker.hands_over:
            assigned += ", " + RUNNER.format(**self._names, worker=self.mark("worker"))
            values["worker"] = f"{worker.name}@"
        text = CLAIM[self._connection.vendor].format(
            **self._names,
            changes=assigned,
            conditions=conditions,
            but="" if but is None else f" AND {self._columns['pk']} <> {self.mark('but')}",
            most=self.mark("most"),
        )
        return text, {**values, **parameters, "most": limit}

    def end_and_claim(self, end: Sql, claim: Sql) -> Sql:
        """Both as one statement, of an `update` or a `delete` and a `claim`."""
        return END_AND_CLAIM.format(end=end[0], claim=claim[0]), {**end[1], **claim[1]}

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
                listed = ", ".join(map(self.mark, items)) or "NULL"
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
                parts.append(f"{column} {COMPARISONS[operator]} {self.mark(key)}")
                parameters[key] = self._prepared(field, value)
        return " AND ".join(parts) or "1 = 1", parameters

    def _pattern(self, text: str) -> str:
        return f"%{self._connection.ops.prep_for_like_query(text)}%"

    def _contains(self, column: str, key: str) -> str:
        operator = self._connection.operators["icontains"] % self.mark(key)
        return f"{self._connection.ops.lookup_cast('icontains') % column} {operator}"

    def _assignments(self, changes: Mapping[str, Any], prefix: str = "new_") -> Sql:
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
            parts.append(f"{self._columns[name]} = {self.mark(prefix + name)}")
            parameters[f"{prefix}{name}"] = prepared[known]
        return ", ".join(parts), parameters

    def _prepared(self, field: Any, value: Any) -> Any:
        kind = type(value)
        if value is None or (kind in self._plain and PLAIN.get(type(field)) is kind):
            return value
        return prepared(field, value, self._connection)
