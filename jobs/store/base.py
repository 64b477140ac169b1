"""What a store promises. Every step that decides something is one conditional write, and its count is the answer."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from django.db import connections, models
from django.utils import timezone

from jobs.models import State

M = TypeVar("M", bound=models.Model)

#: Field names to values; a name may end in `__in`, `__lt`, `__lte`, `__gte` or `__icontains`.
Conditions = Mapping[str, Any]

#: The order of the queue.
ORDER = ("priority", "run_at", "pk")
#: The database's clock is asked again after this many seconds; in between, this machine's counts on.
CLOCK_KEPT_FOR = 30.0


class Reserver(Protocol):
    """Who reserves: what a claim needs to know of a worker."""

    name: str
    queues: tuple[str, ...]
    min_priority: int | None
    max_priority: int | None
    hands_over: bool


def _ticks() -> float:
    # Goes on while the machine is suspended, where the system has such a clock.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Store(ABC, Generic[M]):
    """The rows of one model in one database; the model of `claim` is a job."""

    #: Raised while the database can't be reached: worth another try.
    unavailable: tuple[type[BaseException], ...] = ()

    def __init__(self, model: type[M], alias: str):
        self.model = model
        self.alias = alias
        self._fields: list[Any] = list(model._meta.concrete_fields)
        self._names: list[str] = [field.attname for field in self._fields]
        self._converters: dict[str, list[Callable[..., Any]]] | None = None
        self._clock: tuple[dt.datetime, float] | None = None
        self._unreachable_at = -math.inf

    @property
    def connection(self) -> Any:
        return connections[self.alias]

    def now(self) -> dt.datetime:
        """The database's time, in UTC. Leases are measured by it: the workers' own clocks may disagree."""
        if self._clock is None or _ticks() - self._clock[1] > CLOCK_KEPT_FOR:
            asked = _ticks()
            told = self._read_clock()
            self._clock = (told, (asked + _ticks()) / 2)
        told, at = self._clock
        return told + dt.timedelta(seconds=_ticks() - at)

    def claim(self, worker: Reserver, limit: int = 1) -> list[M]:
        """Up to `limit` next jobs for `worker`, locked by it, in the order of the queue: detached ones before ready ones."""
        claimed = self._claim("detached", worker, limit) if worker.hands_over else []
        return claimed if len(claimed) == limit else claimed + self._claim("ready", worker, limit - len(claimed))

    def _claimed(self, worker: Reserver) -> dict[str, Any]:
        now = self.now()
        changes = {"state": "running", "locked_by": worker.name, "locked_at": now, "updated_at": now}
        if not worker.hands_over:
            changes.update(started_at=now, heartbeat_at=now)
        return changes

    def _instance(self, names: Sequence[str], values: Sequence[Any]) -> M:
        """A model instance from what the driver returned for those fields."""
        if self._converters is None:
            self._converters = {field.attname: self._converters_of(field) for field in self._fields}
        connection, converters = self.connection, self._converters
        values = list(values)
        for index, name in enumerate(names):
            for convert in converters[name]:
                values[index] = convert(values[index], None, connection)
        return self.model.from_db(self.alias, names, values)

    def _converters_of(self, field: Any) -> list[Callable[..., Any]]:
        column = field.get_col(self.model._meta.db_table)
        return [*self.connection.ops.get_db_converters(column), *column.get_db_converters(self.connection)]

    def _in_order(self, jobs: list[M]) -> list[M]:
        return sorted(jobs, key=attrgetter(*ORDER)) if len(jobs) > 1 else jobs

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether `error` says that the database can't be reached, or not now, as opposed to: that it refused a statement."""
        return isinstance(error, self.unavailable)

    def listen(self, tell: Callable[[], None], stop: threading.Event) -> None:
        """Calls `tell` whenever jobs may have become ready, from now until `stop` is set.

        Returns at once where the database has nothing of the kind. Polling stays the truth: what is missed here is found
        by it.
        """

    def reconnect(self) -> None:
        """The database couldn't be reached: drops this thread's connection, so that the next call makes a new one."""
        self._unreachable_at = _ticks()
        self.connection.close()

    def seconds_reachable(self) -> float:
        """How long it is since a call of this process last failed to reach the database."""
        return _ticks() - self._unreachable_at

    @abstractmethod
    def _read_clock(self) -> dt.datetime: ...

    @abstractmethod
    def _claim(self, state: str, worker: Reserver, limit: int) -> list[M]:
        """Each by a conditional write: what another worker claims at the same moment is its alone."""

    @abstractmethod
    def insert(self, jobs: list[M]) -> list[M]:
        """Inserts new rows in one round trip; returns those refused because their unique key is held.

        Joins a transaction that the caller has open, as the only method here.
        """

    @abstractmethod
    def get(self, pk: Any) -> M | None:
        """The row as it is now; None where there is none, also for an id that can't be one."""

    @abstractmethod
    def find(self, where: Conditions, limit: int) -> list[M]: ...

    @abstractmethod
    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        """Like `find`, ordered by one field, descending where its name begins with `-`."""

    @abstractmethod
    def ids(self, where: Conditions, limit: int) -> list[Any]:
        """The primary keys of up to `limit` rows, and nothing else of them."""

    @abstractmethod
    def count(self, where: Conditions, limit: int) -> int:
        """How many rows there are, but never more than `limit`: no further is counted."""

    def count_by_state(self, limit: int) -> dict[tuple[str, str], int]:
        """How many jobs there are of every (state, queue) that has any, but never more than `limit` of each."""
        pairs = [(state, queue) for state in State.values for queue in self.queues(state)]
        counts = {pair: self.count({"state": pair[0], "queue": pair[1]}, limit) for pair in pairs}
        return {pair: count for pair, count in counts.items() if count}

    @abstractmethod
    def queues(self, state: str) -> set[str]:
        """The queues that have jobs in that state. On an index, at a cost that goes with their number, not with the jobs'."""

    @abstractmethod
    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        """Changes one row if it still is as `where` says, in one write; returns whether it was."""

    @abstractmethod
    def change_many(self, where: Conditions, changes: Mapping[str, Any], *, raise_epoch: bool = False) -> int:
        """Changes every row that is as `where` says, each by itself; returns how many there were."""

    @abstractmethod
    def delete(self, pk: Any, where: Conditions) -> bool:
        """Deletes one row if it still is as `where` says, in one write; returns whether it was."""

    @abstractmethod
    def delete_many(self, where: Conditions) -> int: ...

    def count_rows(self, rows: models.QuerySet[M], limit: int) -> int:
        """Like `count`, for a query set."""
        return rows[:limit].count()

    def searchable(self, text: str) -> str:
        """What a query set's `icontains` takes for `text`."""
        return text

    def id_of(self, pk: Any) -> Any:
        """The primary key as the model keeps it; None for what can't be one."""
        try:
            return self.model._meta.pk.to_python(pk)
        except Exception:
            return None


def aware(value: dt.datetime) -> dt.datetime:
    return value if timezone.is_aware(value) else value.replace(tzinfo=dt.timezone.utc)


def inserted(jobs: Iterable[models.Model], alias: str) -> None:
    """Marks instances as rows of the database, as Django does after a save."""
    for job in jobs:
        job._state.adding = False
        job._state.db = alias
