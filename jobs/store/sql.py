"""SQL: the claim is one UPDATE … RETURNING, and every other write is one statement.

Rows that are only read come from Django's ORM.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import BinaryField, QuerySet
from django.db.models.functions import Cast

from jobs.conf import settings
from jobs.runner import worker_runner
from jobs.store.base import ORDER, READY, Conditions, M, Store, aware
from jobs.store.columns import is_unreadable
from jobs.store.reading import Reader
from jobs.store.reserver import Reserver, of_queues
from jobs.store.row_insertion import RowInsertion
from jobs.store.statements import CLAIM, Sql, Statements
from jobs.store.unavailable import is_unavailable_sql

#: How often SQLite is asked whether anything has changed, in seconds.
SQLITE_LOOK = 0.02


def _wanted(state: str, worker: Reserver) -> dict[str, Any]:
    """What a job must be for `worker` to claim it."""
    wanted: dict[str, Any] = {"state": state, **of_queues(state, worker)}
    if worker.min_priority is not None:
        wanted["priority__gte"] = worker.min_priority
    if worker.max_priority is not None:
        wanted["priority__lte"] = worker.max_priority
    return wanted


def channel_of(table: str, news: str) -> str:
    """The channel on which PostgreSQL tells that jobs became ready, or ended.

    See `notify_when_ready` and `notify_when_ended` of `jobs.store.migrating`.
    """
    return f"{table}_{news}"


def _decoded(name: Any) -> str | None:
    try:
        return bytes(name).decode()
    except UnicodeError:
        return None


class SqlStore(Store[M]):
    unavailable = (OperationalError, InterfaceError)

    def is_unavailable(self, error: BaseException) -> bool:
        return is_unavailable_sql(error)

    @cached_property
    def _statements(self) -> Statements:
        return Statements(self.model, self.connection)

    @property
    def _rows(self) -> QuerySet[M]:
        rows: QuerySet[M] = self.model._base_manager.using(self.alias)
        return rows

    def _read_clock(self) -> dt.datetime:
        if self.connection.vendor == "sqlite":
            return dt.datetime.now(dt.timezone.utc)  # the database is this process
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_TIMESTAMP")
            return aware(cursor.fetchone()[0])

    def listen(self, tell: Callable[[], None], stop: threading.Event, of: str = READY) -> None:
        """LISTEN on PostgreSQL; on SQLite a cheap question, asked often."""
        if self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                channel = channel_of(self.model._meta.db_table, of)
                cursor.execute(f"LISTEN {self.connection.ops.quote_name(channel)}")
            tell()  # for what happened before this began
            while not stop.is_set():
                for _ in self.connection.connection.notifies(timeout=1.0, stop_after=1):
                    tell()
        elif self.connection.vendor == "sqlite":
            with self.connection.cursor() as cursor:
                seen = None
                while not stop.wait(SQLITE_LOOK):
                    # Changes when another connection has committed something.
                    version = cursor.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        tell()

    def _claim(self, state: str, worker: Reserver, limit: int) -> list[M]:
        if self.connection.vendor not in CLAIM:
            return self._claim_by_comparing(state, worker, limit)
        where, changes = _wanted(state, worker), self._claimed(worker)
        statement = self._statements.claim(worker, where, changes, limit)
        with self.cursor(self.connection) as cursor:
            try:
                cursor.execute(*statement)
                rows = cursor.fetchall()
            except Exception as error:
                if not is_unreadable(error):
                    raise
                rows = None
        if rows is None:
            # They are locked, but the driver can't return one of them.
            own = {name: changes[name] for name in ("state", "locked_by", "locked_at")}
            return self._in_order(self.read_each(self.ids(own, limit)))
        return self._in_order([self._instance(row) for row in rows])

    def _claim_by_comparing(self, state: str, worker: Reserver, limit: int) -> list[M]:
        """For databases without RETURNING: tries a few, one by one."""
        wanted = _wanted(state, worker)
        waiting: Any = self._rows.order_by(*ORDER)
        for name in [name for name in wanted if name.endswith("__nin")]:
            waiting = waiting.exclude(**{name.replace("__nin", "__in"): wanted.pop(name)})
        waiting = waiting.filter(**wanted)
        claimed: list[Any] = []
        for job in waiting[: max(limit, settings.READ_AHEAD)]:
            changes = self._claimed(worker)
            if not worker.hands_over:
                changes["runner"] = worker_runner(worker.name, job.epoch)
            as_read = {"state": state, "epoch": job.epoch, "locked_by": job.locked_by}
            if self.apply(job, as_read, changes):
                claimed.append(job)
                if len(claimed) == limit:
                    break
        return claimed

    def insert(self, jobs: list[M], *, keys: bool = True) -> list[M]:
        return self._insertion.insert(jobs, keys)

    @cached_property
    def _insertion(self) -> RowInsertion[M]:
        return RowInsertion(self)

    def taken(self, column: str, values: list[Any]) -> set[Any]:
        """Which of the values some row has in that column."""
        most = self.connection.features.max_query_params or len(values)
        found: set[Any] = set()
        for start in range(0, len(values), most):
            where = {f"{column}__in": values[start : start + most]}
            found.update(
                row[0] for row in self._fetch(self._statements.select(where, names=[column]))
            )
        return found

    def get(self, pk: Any) -> M | None:
        pk = self.id_of(pk)
        return None if pk is None else self.find_one({"pk": pk})

    def find(self, where: Conditions, limit: int) -> list[M]:
        return self._read(where, "", limit)

    def glance(self, where: Conditions, names: Sequence[str], limit: int) -> list[M]:
        return self._read(where, "", limit, self._reader.of(names))

    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        return self._read(where, order, limit)

    def _read(
        self, where: Conditions, order: str, limit: int, reader: Reader[M] | None = None
    ) -> list[M]:
        names = [column.name for column in reader.columns] if reader else None
        statement = self._statements.select(where, names=names, order=order, limit=limit)
        try:
            rows = self._fetch(statement)
        except Exception as error:
            if not is_unreadable(error):
                raise
            # A column of one of them can't be read: the driver gives none of them.
            keys = self._statements.select(where, names=["pk"], order=order, limit=limit)
            return self.read_each([key for (key,) in self._fetch(keys)])
        reader = reader or self._reader
        return [reader.instance(row, self.connection) for row in rows]

    def _fetch(self, statement: Sql) -> list[Any]:
        with self.cursor(self.connection) as cursor:
            cursor.execute(*statement)
            return cursor.fetchall()

    def read_each(self, pks: Iterable[Any]) -> list[M]:
        return [row for pk in pks if (row := self._read_one(pk)) is not None]

    def _read_one(self, pk: Any) -> M | None:
        """The row; column by column if the driver can't return one of them."""
        try:
            rows = self._fetch(self._statements.select({"pk": pk}))
            return self._instance(rows[0]) if rows else None
        except Exception as error:
            if not is_unreadable(error):
                raise
        values: list[Any] = []
        unreadable: list[str] = []
        for name in (field.attname for field in self._fields):
            try:
                found = self._fetch(self._statements.select({"pk": pk}, names=[name]))
            except Exception as error:
                if not is_unreadable(error):
                    raise
                unreadable.append(name)
                values.append(None)
                continue
            if not found:
                return None
            values.append(found[0][0])
        row = self._instance(values)
        known = getattr(row, "unreadable", ())
        row.__dict__["unreadable"] = tuple(dict.fromkeys((*unreadable, *known)))
        return row

    def ids(self, where: Conditions, limit: int) -> list[Any]:
        return list(self._rows.filter(**where).values_list("pk", flat=True)[:limit])

    def count(self, where: Conditions, limit: int) -> int:
        return self._rows.filter(**where)[:limit].count()

    def queues(self, state: str, most: int | None = None) -> set[str]:
        rows = self._rows.filter(state=state)
        try:
            return self._queues_by_index(rows, most)
        except Exception as error:
            if not is_unreadable(error):
                raise
            # A name isn't text. That may not hide the other queues.
            raw = rows.annotate(raw=Cast("queue", BinaryField())).values_list("raw", flat=True)
            return {found for name in raw.distinct() if (found := _decoded(name)) is not None}

    def _queues_by_index(self, rows: QuerySet[M], most: int | None) -> set[str]:
        # From one to the next on the index, because SELECT DISTINCT reads every entry.
        found: set[str] = set()
        names = rows.order_by("queue").values_list("queue", flat=True)
        name = names.first()
        while name is not None and (most is None or len(found) < most):
            if not isinstance(name, str):
                raise TypeError(f"A queue's name is a {type(name).__name__}.")
            found.add(name)
            name = names.filter(queue__gt=name).first()
        return found

    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        return self._execute(self._statements.update({"pk": pk, **where}, changes)) == 1

    def change_many(self, where: Conditions, changes: Mapping[str, Any]) -> int:
        return self._execute(self._statements.update(where, changes))

    def delete(self, pk: Any, where: Conditions) -> bool:
        return self._execute(self._statements.delete({"pk": pk, **where})) == 1

    def delete_many(self, where: Conditions) -> int:
        return self._execute(self._statements.delete(where))

    def _execute(self, statement: Sql) -> int:
        with self.cursor(self.connection) as cursor:
            cursor.execute(*statement)
            return int(cursor.rowcount)

    def cursor(self, connection: Any) -> Any:
        """Django's cursor; on PostgreSQL one that can prepare the queue's statements.

        `prepare_threshold` in the database's OPTIONS switches that on. Django's own
        statements are never prepared, because it writes parameters into their text.
        """
        connection.ensure_connection()
        prepares = getattr(connection.connection, "prepare_threshold", None) is not None
        if not prepares or connection.queries_logged:  # the log would lack their text
            return connection.cursor()
        from django.db.backends.postgresql.base import ServerBindingCursor

        raw: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
        return connection.make_cursor(raw)
