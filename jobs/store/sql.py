"""SQL: the claim is one UPDATE … RETURNING, and every other write is one statement.

An outcome and the next claim are one statement, too, or one transaction on SQLite.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from django.db import InterfaceError, OperationalError

from jobs.conf import settings
from jobs.runner import worker_runner
from jobs.store.base import ORDER
from jobs.store.clock import aware
from jobs.store.columns import is_unreadable
from jobs.store.hearing import FEW, MORE, Hearer, Hearing, say
from jobs.store.reading import M
from jobs.store.reserver import Reserver, of_queues
from jobs.store.row_insertion import RowInsertion
from jobs.store.row_writes import Conditions
from jobs.store.sql_rows import SqlRows
from jobs.store.statements import CLAIM, Sql
from jobs.store.unavailable import is_unavailable_sql
from jobs.store.writing import Alike

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


#: What PostgreSQL tells of: jobs that may have become ready, and jobs that keep their
#: result and may have ended.
READY, ENDED = "ready", "ended"


def channel_of(table: str, news: str) -> str:
    """The channel on which PostgreSQL tells that jobs became ready, or ended.

    See `notify_when_ready` and `notify_when_ended` of `jobs.store.migrating`.
    """
    return f"{table}_{news}"


class SqlStore(SqlRows[M]):
    unavailable = (OperationalError, InterfaceError)

    def is_unavailable(self, error: BaseException) -> bool:
        return is_unavailable_sql(error)

    def _read_clock(self) -> dt.datetime:
        if self.connection.vendor == "sqlite":
            return dt.datetime.now(dt.timezone.utc)  # the database is this process
        with self.connection.cursor() as cursor:
            # PostgreSQL's CURRENT_TIMESTAMP is when the transaction began.
            cursor.execute(
                "SELECT statement_timestamp()"
                if self.connection.vendor == "postgresql"
                else "SELECT CURRENT_TIMESTAMP"
            )
            return aware(cursor.fetchone()[0])

    def listen(self, news: Hearer, stop: threading.Event) -> None:
        """LISTEN on PostgreSQL; on SQLite a cheap question, asked often."""
        if self.connection.vendor == "postgresql":
            Hearing(self.connection, self._channel, news).run(stop)
        elif self.connection.vendor == "sqlite":
            self._look(news.tell, stop)

    def listen_for_ends(self, tell: Callable[[], None], stop: threading.Event) -> None:
        if self.connection.vendor == "postgresql":
            channel = channel_of(self.model._meta.db_table, ENDED)
            with self.connection.cursor() as cursor:
                cursor.execute(f"LISTEN {self.connection.ops.quote_name(channel)}")
            tell()  # for what happened before this began
            while not stop.is_set():
                for _ in self.connection.connection.notifies(timeout=1.0, stop_after=1):
                    tell()
        elif self.connection.vendor == "sqlite":
            self._look(tell, stop)

    def _look(self, tell: Callable[[], None], stop: threading.Event) -> None:
        with self.connection.cursor() as cursor:
            seen = None
            while not stop.wait(SQLITE_LOOK):
                # Changes when another connection has committed something.
                version = cursor.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    tell()

    def pass_on(self, news: Hearer) -> None:
        if self.connection.vendor == "postgresql" and news.others >= FEW:
            with suppress(Exception):  # then another one waits until it looks by itself
                say(self.connection, self._channel, MORE, news.appetite)

    @property
    def _channel(self) -> str:
        return channel_of(self.model._meta.db_table, READY)

    def _claim(self, state: str, worker: Reserver, limit: int) -> list[M]:
        if self.connection.vendor not in CLAIM:
            return self._claim_by_comparing(state, worker, limit)
        changes = self._claimed(worker)
        statement = self._statements.claim(worker, _wanted(state, worker), changes, limit)
        try:
            rows = self._fetch(statement)
        except Exception as error:
            if not is_unreadable(error):
                raise
            # They are locked, but the driver can't return one of them.
            own = {name: changes[name] for name in ("state", "locked_by", "locked_at")}
            return self._in_order(self.read_each(self.ids(own, limit)))
        return self._in_order([self._instance(row) for row in rows])

    @property
    def ends_and_claims(self) -> bool:
        # In a transaction of somebody else's, a claim that is refused would take the
        # outcome with it.
        connection = self.connection
        alone = connection.settings_dict["AUTOCOMMIT"] and not connection.in_atomic_block
        return bool(alone and connection.vendor in CLAIM)

    def end_and_claim(
        self, pk: Any, where: Conditions, changes: Mapping[str, Any] | None, worker: Reserver
    ) -> tuple[bool, list[M]]:
        statements, connection = self._statements, self.connection
        where = {"pk": pk, **where}
        end = statements.delete(where) if changes is None else statements.update(where, changes)
        wanted, claimed = _wanted("ready", worker), self._claimed(worker)
        as_one = connection.vendor == "postgresql"
        # Both parts of one statement see the row as it was before: it may say that it
        # is ready, if the job's own code wrote that.
        claim = statements.claim(worker, wanted, claimed, 1, but=pk if as_one else None)
        ended, rows = (self._as_one if as_one else self._in_turn)(connection, end, claim)
        return ended == 1, [self._reader.instance(row, connection) for row in rows]

    def _as_one(self, connection: Any, end: Sql, claim: Sql) -> tuple[int, list[Any]]:
        with self.cursor_of_statements(connection) as cursor:
            cursor.execute(*self._statements.end_and_claim(end, claim))
            [(ended, *row)] = cursor.fetchall()
        return ended, [] if row[self._place_of_key] is None else [row]

    def _in_turn(self, connection: Any, end: Sql, claim: Sql) -> tuple[int, list[Any]]:
        """One transaction: SQLite has no statement that writes two rows differently."""
        with self.cursor_of_statements(connection) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                ended = cursor.execute(*end).rowcount
                rows = cursor.execute(*claim).fetchall()
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
        return ended, rows

    @cached_property
    def _place_of_key(self) -> int:
        return self._fields.index(self.model._meta.pk)

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

    @property
    def inserts_alike(self) -> bool:
        return self._insertion.inserts_alike

    def insert_alike(self, rows: Alike, *, keys: bool) -> Sequence[Any]:
        return self._insertion.insert_alike(rows, keys)

    @cached_property
    def _insertion(self) -> RowInsertion[M]:
        return RowInsertion(self)

    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        return self._execute(self._statements.update({"pk": pk, **where}, changes)) == 1

    def change_many(self, where: Conditions, changes: Mapping[str, Any]) -> int:
        return self._execute(self._statements.update(where, changes))

    def delete(self, pk: Any, where: Conditions) -> bool:
        return self._execute(self._statements.delete({"pk": pk, **where})) == 1

    def delete_many(self, where: Conditions) -> int:
        return self._execute(self._statements.delete(where))

    def _execute(self, statement: Sql) -> int:
        with self.cursor_of_statements(self.connection) as cursor:
            cursor.execute(*statement)
            return int(cursor.rowcount)


def _roll_back(connection: Any) -> None:
    try:
        connection.connection.rollback()
    except Exception:  # what is written next must not wait for a commit
        connection.close()
