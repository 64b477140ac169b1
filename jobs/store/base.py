"""What a store promises: every step that decides something is one conditional write.

The count of the write is the answer.
"""

from __future__ import annotations

import datetime as dt
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from django.db import connections, models

from jobs.states import State
from jobs.store.clock import DatabaseClock
from jobs.store.columns import Column, Converter
from jobs.store.hearing import Hearer
from jobs.store.ids import id_of
from jobs.store.reach import Reach
from jobs.store.reading import M, Reader
from jobs.store.reserver import Reserver, begins_none
from jobs.store.row_writes import Conditions, RowWrites
from jobs.store.uniqueness import unique_column
from jobs.store.writing import Alike

#: As the new value of a whole number: one more than it is.
RAISED: Any = object()

#: The order of the queue.
ORDER = ("priority", "run_at", "pk")


class Store(Reach, RowWrites[M]):
    """The rows of one model in one database; the model of `claim` is a job."""

    #: Raised while the database can't be reached: worth another try.
    unavailable: tuple[type[BaseException], ...] = ()
    #: Bytes that a row may have when it is inserted, so that its error finds room.
    largest_row = 2**28
    #: Whether the database is MongoDB, however it is spoken to.
    keeps_documents = False

    def __init__(self, model: type[M], alias: str):
        self.model = model
        self.alias = alias
        self._fields: list[Any] = list(model._meta.concrete_fields)
        self._clock = DatabaseClock(self._read_clock)

    @property
    def connection(self) -> Any:
        return connections[self.alias]

    def now(self) -> dt.datetime:
        return self._clock.now()

    def claim(self, worker: Reserver, limit: int = 1) -> list[M]:
        """Up to `limit` next jobs, locked by `worker`, in the order of the queue.

        Detached jobs come before ready ones, and only a worker that hands over gets
        any.
        """
        claimed = self._claim("detached", worker, limit) if worker.hands_over else []
        if len(claimed) < limit and not begins_none(worker):
            claimed += self._claim("ready", worker, limit - len(claimed))
        return claimed

    @property
    def ends_and_claims(self) -> bool:
        """Whether `end_and_claim` can be called now."""
        return False

    def end_and_claim(
        self, pk: Any, where: Conditions, changes: Mapping[str, Any] | None, worker: Reserver
    ) -> tuple[bool, list[M]]:
        """One step, of which either all happens or nothing: `change`, or `delete` if
        there are no changes; and `claim` of one job.

        Returns what they return. The claim doesn't depend on the other. After any
        error it isn't known whether the step happened.
        """
        raise NotImplementedError

    def _claimed(self, worker: Reserver) -> dict[str, Any]:
        now = self.now()
        changes: dict[str, Any] = {"state": "running", "locked_by": worker.name}
        changes.update(locked_at=now, updated_at=now)
        if not worker.hands_over:
            changes.update(started_at=now, heartbeat_at=now)
        return changes

    @cached_property
    def _reader(self) -> Reader[M]:
        columns = [Column(field, self._converters_of(field)) for field in self._fields]
        return Reader(self.model, self.alias, columns)

    def _converters_of(self, field: Any) -> list[Converter]:
        column = field.get_col(self.model._meta.db_table)
        of_database = self.connection.ops.get_db_converters(column)
        return [*of_database, *column.get_db_converters(self.connection)]

    def _instance(self, values: Sequence[Any]) -> M:
        """Of what the driver returned for all fields, in their order."""
        return self._reader.instance(values, self.connection)

    def sound(self, rows: list[M]) -> list[M]:
        """Rows that Django read, if all their values are of their columns' types.

        Raises TypeError or ValueError if one isn't: `read_each` gives what can be read.
        """
        return self._reader.sound(rows)

    @abstractmethod
    def read_each(self, pks: Iterable[Any]) -> list[M]:
        """The rows with these keys, in this order, each as far as it can be read."""

    def repaired(self, row: M) -> dict[str, Any]:
        """Defaults for the columns of `row` whose values the database wouldn't take
        back.
        """
        return self._reader.repaired(row, self.connection)

    def _in_order(self, jobs: list[M]) -> list[M]:
        try:
            return sorted(jobs, key=attrgetter(*ORDER)) if len(jobs) > 1 else jobs
        except TypeError:  # a row with a value that can't be compared
            return jobs

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether `error` says that the database can't be reached, or not now.

        False for a statement that the database refused.
        """
        return isinstance(error, self.unavailable)

    def listen(self, news: Hearer, stop: threading.Event) -> None:
        """Tells `news` whenever jobs may have become ready, until `stop` is set.

        Of many idle workers, a few may be told of one job. Returns at once if the
        database can't tell. Workers poll as well, so a missed call only delays a job.
        """

    def listen_for_ends(self, tell: Callable[[], None], stop: threading.Event) -> None:
        """Calls `tell` whenever a job that keeps its result may have ended; otherwise
        as `listen`.
        """

    def pass_on(self, news: Hearer) -> None:
        """For a worker that was idle and has found a job: there may be more, for
        others. Never raises.
        """

    def reconnect(self) -> None:
        """Drops this thread's connection, because the database couldn't be reached.

        The next call makes a new one.
        """
        self.count_anew()
        self.connection.close()

    @abstractmethod
    def _read_clock(self) -> dt.datetime: ...

    @abstractmethod
    def _claim(self, state: str, worker: Reserver, limit: int) -> list[M]:
        """Each by a conditional write, so that no job is claimed by two workers."""

    def new_keys(self, number: int) -> list[Any]:
        """Keys for rows that are to be inserted; None where the database makes them."""
        return [None] * number

    @abstractmethod
    def insert(self, jobs: list[M], *, keys: bool = True) -> list[M]:
        """Inserts new rows in one round trip; returns those whose unique key is held.

        Joins a transaction that is open. Without `keys`, instances may get no keys.
        """

    @property
    def inserts_alike(self) -> bool:
        """Whether `insert_alike` can be called."""
        return False

    def insert_alike(self, rows: Alike, *, keys: bool) -> Sequence[Any]:
        """Inserts rows without a unique key, as `insert` does; returns their keys."""
        raise NotImplementedError

    def holder_of(self, unique_key: str) -> M | None:
        """The job that holds the key; None if it is free."""
        return self.find_one({"unique_key": unique_key})

    def rival(self, row: M) -> M | None:
        """Another row that has the value of this one's unique column."""
        column = unique_column(self.model)
        if column is None or (value := getattr(row, column)) is None:
            return None
        return self.find_one({column: value})

    def check_size(self, job: M) -> None:
        """Raises ValueError for a row that the database can't hold with its error."""
        size = self._size_of(job)
        if size > self.largest_row:
            raise ValueError(
                f"The job has {size:,} bytes, but at most {self.largest_row:,} can be "
                "stored: keep the data elsewhere, and enqueue where it is."
            )

    def _size_of(self, job: Any) -> int:
        return len(job.handler) + len(job.result)

    @abstractmethod
    def get(self, pk: Any) -> M | None:
        """The row as it is now; None if there is none, or if `pk` can't be an id."""

    @abstractmethod
    def find(self, where: Conditions, limit: int) -> list[M]: ...

    @abstractmethod
    def glance(
        self, where: Conditions, names: Sequence[str], limit: int, order: str = ""
    ) -> list[M]:
        """Like `find`, or `listing` if there is an order, with only these columns and
        the key of each row.
        """

    def find_one(self, where: Conditions) -> M | None:
        """A row that is as `where` says; None if there is none."""
        return next(iter(self.find(where, limit=1)), None)

    def odd_leases(self, latest: dt.datetime, limit: int) -> list[M]:
        """Running jobs whose lease isn't an instant, or lies beyond `latest`."""
        running = {"state": State.RUNNING}
        return [
            *self.find({**running, "locked_at": None}, limit),
            *self.find({**running, "locked_at__gt": latest}, limit),
        ]

    @abstractmethod
    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        """Like `find`, ordered by one field, descending if it begins with `-`."""

    @abstractmethod
    def ids(self, where: Conditions, limit: int) -> list[Any]:
        """The primary keys of up to `limit` rows, and nothing else of them."""

    @abstractmethod
    def count(self, where: Conditions, limit: int) -> int:
        """How many rows there are; no more than `limit` are counted."""

    def count_by_state(self, limit: int) -> dict[tuple[str, str], int]:
        """How many jobs there are of every (state, queue) that has any, up to `limit`
        each.
        """
        counts = {
            (state, queue): self.count({"state": state, "queue": queue}, limit)
            for state in State.values
            for queue in self.queues(state)
        }
        return {pair: count for pair, count in counts.items() if count}

    @abstractmethod
    def queues(self, state: str, most: int | None = None) -> set[str]:
        """The queues that have jobs in that state, or `most` of them.

        Read from an index: the cost grows with the number of queues, not with that of
        jobs.
        """

    @abstractmethod
    def change_many(self, where: Conditions, changes: Mapping[str, Any]) -> int:
        """Changes each row that is as `where` says; returns how many."""

    @abstractmethod
    def delete_many(self, where: Conditions) -> int: ...

    def count_rows(self, rows: models.QuerySet[M], limit: int) -> int:
        """Like `count`, for a query set."""
        return rows[:limit].count()

    def searchable(self, text: str) -> str:
        """`text` as a query set's `icontains` takes it."""
        return text

    def id_of(self, pk: Any) -> Any:
        """The primary key as the model keeps it; None if `pk` can't be one."""
        return id_of(self.model._meta.pk, pk)
