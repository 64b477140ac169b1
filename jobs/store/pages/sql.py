"""Pages of a SQL table.

The window is a subquery of keys, so that only the rows of the page are read whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from jobs.store.clock import aware
from jobs.store.columns import is_unreadable
from jobs.store.pages.base import CUT, LEFT_OUT, Failures, Pages, Window, merged
from jobs.store.reading import M
from jobs.store.row_writes import Conditions
from jobs.store.sql import SqlStore
from jobs.store.statements import Sql

PAGE = "SELECT {columns} FROM {table} WHERE {pk} IN ({keys}){order}"
KEYS = "SELECT {pk} FROM {table} WHERE {conditions}{order} {paged}"
LOOKED_AT = "SELECT {columns} FROM {table} WHERE {conditions}{order} {paged}"
COUNTED = "SELECT COUNT(*) FROM ({keys}) AS counted"
FAILURES = """
    SELECT {error_key}, CASE WHEN {at} >= {since} THEN {hour} END AS hour, COUNT(*),
        MIN({at}), MAX({at}), MAX({pk})
    FROM {table} WHERE {state} = 'failed' GROUP BY 1, 2
"""

#: The hour of a failure as text or an instant, by database: its functions for that are
#: the only ones quick enough for a hundred thousand rows.
HOUR = {"sqlite": "substr({at}, 1, 13)", "postgresql": "date_trunc('hour', {at})"}


class PagesOf(Pages[M]):
    def __init__(self, store: SqlStore[M]):
        self._store = store
        self._sql = store._statements
        self._table = store.connection.ops.quote_name(store.model._meta.db_table)

    def page(
        self, window: Window, where: Conditions, order: Sequence[str], limit: int, skip: int = 0
    ) -> list[M]:
        reader = self._store._reader
        shown = [name.name for name in reader.columns if name.name not in LEFT_OUT]
        narrowed = reader.of(shown)
        ordered = self._sql.order_by(order)
        keys, parameters = self._keys(window, where, order, limit, skip)
        columns = ", ".join(self._selected(column.name) for column in narrowed.columns)
        pk = self._sql.column("pk")
        text = PAGE.format(columns=columns, table=self._table, pk=pk, keys=keys, order=ordered)
        connection = self._store.connection
        try:
            rows = self._store._fetch((text, parameters))
        except Exception as error:
            if not is_unreadable(error):
                raise
            # A column of one of them can't be read: the driver gives none of them.
            found = self._store._fetch((keys, parameters))
            return self._store.read_each([key for (key,) in found])
        return [narrowed.instance(row, connection) for row in rows]

    def count(self, window: Window, where: Conditions, limit: int) -> int:
        if not where:  # then any of the rows will do
            window = Window(window.where, (), window.most)
        keys, parameters = self._keys(window, where, (), limit, 0)
        return int(self._store._fetch((COUNTED.format(keys=keys), parameters))[0][0])

    def failures(self, since: dt.datetime) -> list[Failures]:
        at = self._sql.column("finished_at")
        hour = HOUR.get(self._store.connection.vendor, "NULL").format(at=at)
        names = {name: self._sql.column(name) for name in ("error_key", "pk", "state")}
        since_at = self._sql.mark("since")
        text = FAILURES.format(**names, at=at, hour=hour, since=since_at, table=self._table)
        field = self._sql.field("finished_at")
        parameters = {"since": field.get_db_prep_save(since, self._store.connection)}
        found = []
        for error_key, of_hour, count, first, last, example in self._store._fetch(
            (text, parameters)
        ):
            begins, ends = _instant(first), _instant(last)
            if begins is None or ends is None:
                continue  # somebody wrote what isn't an instant
            group = Failures(str(error_key), count, begins, ends, example)
            if (hour_at := _instant(of_hour)) is not None:
                group.hours[int((hour_at - since).total_seconds() // 3600)] = count
            found.append(group)
        return merged(found)

    def _keys(
        self, window: Window, where: Conditions, order: Sequence[str], limit: int, skip: int
    ) -> Sql:
        """The keys of the page's rows."""
        within, parameters = self._sql.conditions(window.where, "in_")
        natural = self._sql.order_by(window.order)
        pk, paged = self._sql.column("pk"), self._store.connection.ops.limit_offset_sql
        if not where and list(order) in ([], list(window.order)):
            last = max(skip + 1, min(skip + limit, window.most))
            text = KEYS.format(
                pk=pk,
                table=self._table,
                conditions=within,
                order=natural,
                paged=paged(skip, last),
            )
            return text, parameters
        looked_at = LOOKED_AT.format(
            columns=", ".join(self._needed(where, order)),
            table=self._table,
            conditions=within,
            order=natural,
            paged=paged(0, window.most),
        )
        conditions, others = self._sql.conditions(where)
        text = KEYS.format(
            pk=pk,
            table=f"({looked_at}) AS looked_at",
            conditions=conditions,
            order=self._sql.order_by(order),
            paged=paged(skip, skip + limit),
        )
        return text, {**parameters, **others}

    def _needed(self, where: Conditions, order: Sequence[str]) -> Iterable[str]:
        names = [one for key in where for one in key.partition("__")[0].split("|")]
        names += [name.removeprefix("-") for name in order]
        return dict.fromkeys(self._sql.column(name) for name in ("pk", *names))

    def _selected(self, name: str) -> str:
        column = self._sql.column(name)
        if name in CUT:
            return f"SUBSTR({column}, 1, {CUT[name]})"
        return f"{self._sql.raw}{column}"


def _instant(value: Any) -> dt.datetime | None:
    """Of what the driver gave; SQLite has texts, which may lack minutes and seconds."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value if len(value) > 13 else f"{value}:00")
        except ValueError:
            return None
    return aware(value) if isinstance(value, dt.datetime) else None
