"""SQL: the claim is one UPDATE … RETURNING, every other write one statement; what is only read is read by Django's ORM."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from jobs.runner import worker_runner
from jobs.store.base import ORDER, Conditions, M, Reserver, Store, aware, inserted
from jobs.store.statements import Sql, Statements

#: How often SQLite is asked whether anything has changed, in seconds.
SQLITE_LOOK = 0.02


def _wanted(state: str, worker: Reserver) -> dict[str, Any]:
    """What a job must be for `worker` to claim it."""
    wanted: dict[str, Any] = {"state": state}
    if worker.queues:
        wanted["queue__in"] = worker.queues
    if worker.min_priority is not None:
        wanted["priority__gte"] = worker.min_priority
    if worker.max_priority is not None:
        wanted["priority__lte"] = worker.max_priority
    return wanted


def ready_channel(table: str) -> str:
    """The channel on which PostgreSQL tells that jobs became ready: see jobs.migrating.notify_when_ready."""
    return f"{table}_ready"


class SqlStore(Store[M]):
    unavailable = (OperationalError, InterfaceError)

    def is_unavailable(self, error: BaseException) -> bool:
        # SQLite has the same class for a table or a column that isn't there.
        return super().is_unavailable(error) and not str(error).startswith("no such ")

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

    def listen(self, tell: Callable[[], None], stop: threading.Event) -> None:
        """LISTEN on PostgreSQL; on SQLite a question that costs next to nothing, asked often."""
        if self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"LISTEN {self.connection.ops.quote_name(ready_channel(self.model._meta.db_table))}"
                )
            tell()  # for what became ready before this began
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
        if self.connection.vendor not in ("postgresql", "sqlite"):
            return self._claim_by_comparing(state, worker, limit)
        statements = self._statements
        assigned, parameters = statements.assignments(self._claimed(worker))
        if not worker.hands_over:
            assigned += f", {statements.column('runner')} = CAST(%s AS varchar) || CAST({statements.column('epoch')} AS varchar)"
            parameters.append(f"{worker.name}@")
        where, values = statements.where(_wanted(state, worker))
        order = ", ".join(map(statements.column, ORDER))
        chosen = f"SELECT {statements.pk} FROM {statements.table} WHERE {where} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608
        if self.connection.features.has_select_for_update_skip_locked:
            # An array is made once; a subquery might be read again for every row, and lock more than its limit.
            chosen = f"= ANY(ARRAY({chosen} FOR UPDATE SKIP LOCKED))"
        else:
            chosen = f"IN ({chosen})"
        sql = f"UPDATE {statements.table} SET {assigned} WHERE {statements.pk} {chosen} RETURNING {statements.columns}"  # noqa: S608
        with self._cursor() as cursor:
            cursor.execute(sql, parameters + values)
            rows = cursor.fetchall()
        return self._in_order([self._instance(self._names, row) for row in rows])

    def _claim_by_comparing(self, state: str, worker: Reserver, limit: int) -> list[M]:
        """For databases without RETURNING: reads a few candidates and takes those that nobody else took."""
        from jobs.conf import settings

        candidates: list[Any] = list(
            self._rows.filter(**_wanted(state, worker)).order_by(*ORDER)[
                : max(limit, settings.READ_AHEAD)
            ]
        )
        claimed = []
        for job in candidates:
            changes = self._claimed(worker)
            if not worker.hands_over:
                changes["runner"] = worker_runner(worker.name, job.epoch)
            if self.change(
                job.pk, {"state": state, "epoch": job.epoch, "locked_by": job.locked_by}, changes
            ):
                for name, value in changes.items():
                    setattr(job, name, value)
                claimed.append(job)
                if len(claimed) == limit:
                    break
        return claimed

    def insert(self, jobs: list[M]) -> list[M]:
        if all(getattr(job, "unique_key", "") is None for job in jobs):
            self._insert_all(jobs)
            return []
        try:
            # A refused row would otherwise end the caller's own transaction.
            with transaction.atomic(using=self.alias):
                self._insert_all(jobs)
            return []
        except IntegrityError:
            if len(jobs) == 1:
                jobs[0].pk = None
                return jobs
        return [refused for job in jobs for refused in self.insert([job])]

    def _insert_all(self, jobs: list[M]) -> None:
        if len(jobs) == 1:
            jobs[0].save(using=self.alias, force_insert=True)
        else:
            self._rows.bulk_create(jobs)
            inserted(jobs, self.alias)

    def get(self, pk: Any) -> M | None:
        if (pk := self.id_of(pk)) is None:
            return None
        try:
            return self._rows.filter(pk=pk).first()
        except OverflowError:
            return None

    def find(self, where: Conditions, limit: int) -> list[M]:
        return list(self._rows.filter(**where)[:limit])

    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        return list(self._rows.filter(**where).order_by(order)[:limit])

    def ids(self, where: Conditions, limit: int) -> list[Any]:
        return list(self._rows.filter(**where).values_list("pk", flat=True)[:limit])

    def count(self, where: Conditions, limit: int) -> int:
        return self._rows.filter(**where)[:limit].count()

    def queues(self, state: str) -> set[str]:
        # From one to the next on the index, because SELECT DISTINCT would read every row's entry.
        found: set[str] = set()
        names = self._rows.filter(state=state).order_by("queue").values_list("queue", flat=True)
        name = names.first()
        while name is not None:
            found.add(name)
            name = names.filter(queue__gt=name).first()
        return found

    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        return self._execute(self._statements.update({"pk": pk, **where}, changes)) == 1

    def change_many(
        self, where: Conditions, changes: Mapping[str, Any], *, raise_epoch: bool = False
    ) -> int:
        return self._execute(self._statements.update(where, changes, raise_epoch=raise_epoch))

    def delete(self, pk: Any, where: Conditions) -> bool:
        return self._execute(self._statements.delete({"pk": pk, **where})) == 1

    def delete_many(self, where: Conditions) -> int:
        return self._execute(self._statements.delete(where))

    def _execute(self, statement: Sql) -> int:
        with self._cursor() as cursor:
            cursor.execute(*statement)
            return int(cursor.rowcount)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Django's, which on PostgreSQL may prepare what it executes often: where `prepare_threshold` is set in OPTIONS.

        Django's own statements are never prepared, because it writes parameters into their text.
        """
        connection = self.connection
        connection.ensure_connection()
        prepares = getattr(connection.connection, "prepare_threshold", None) is not None
        if prepares and not connection.queries_logged:  # the log would be without their text
            from django.db.backends.postgresql.base import ServerBindingCursor

            raw: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
            cursor = connection.make_cursor(raw)
        else:
            cursor = connection.cursor()
        with cursor:
            yield cursor
