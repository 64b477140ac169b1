"""The jobs that a process watches or executes, whose signs of life are renewed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from jobs.payloads import codec

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: What is renewed of a job that is watched.
WATCHED = "locked_at"

_numbers = itertools.count(1)


class Flag:
    """Something that is so from some moment on. Nobody waits for it."""

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True


class Hold:
    """One job that this process watches or executes.

    `lost` is set once the database says that it no longer does.
    """

    __slots__ = (
        "changed",
        "deadline",
        "lost",
        "model",
        "number",
        "pk",
        "where",
        "with_execution",
        "within_watch",
    )

    def __init__(self, model: type[AbstractJob], pk: Any, where: dict[str, Any], changed: str):
        #: Unique in this process.
        self.number = next(_numbers)
        self.model = model
        self.pk = pk
        self.where = where
        self.changed = changed
        #: When, by time.monotonic(), the process is ended if the job can't be
        #: interrupted; None: never.
        self.deadline: float | None = None
        self.lost = Flag()
        #: Of a watch: its execution begins right after it, and of an execution: its
        #: watch ends right after it.
        self.with_execution = self.within_watch = False

    @property
    def group(self) -> tuple[Any, ...]:
        return (self.model, self.changed, *sorted(self.where.items()))

    def described(self) -> tuple[Any, ...]:
        """In plain values, for another process."""
        return self.model._meta.label, codec.encode(self.pk), self.where, self.changed
