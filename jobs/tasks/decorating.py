"""What the API of `django.tasks` can't say of a task.

`@options(…)` stands under or above `@task`. A task is frozen and has no room for more,
so what is said is kept on its function.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from jobs.conf.options import duration, positive_integer
from jobs.tasks.compat import is_task

#: Where a function keeps its options. `functools.wraps` takes it along.
ATTRIBUTE = "_jobs_options"
#: Attempts of a task that says nothing else, as in Django's own backends.
MAX_ATTEMPTS = 1

Decorated = TypeVar("Decorated")


@dataclass(frozen=True)
class Options:
    """What is said of a task; None: nothing.

    Raises TypeError or ValueError for a value that can't be meant.
    """

    max_attempts: int | None = None
    max_run_time: float | dt.timedelta | None = None
    unique_key: str | Callable[..., str | None] | None = None
    reschedule_at: Callable[[dt.datetime, int], dt.datetime] | None = None
    batch: Any = None
    on_commit: bool | None = None

    def __post_init__(self) -> None:
        for name, convert in (("max_attempts", positive_integer), ("max_run_time", duration)):
            value = getattr(self, name)
            if value is None:
                continue
            try:
                convert(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name} is {value!r}: it takes {error}.") from None
        key = self.unique_key
        if key is not None and not isinstance(key, str) and not callable(key):
            raise TypeError(f"unique_key is {key!r}: it takes a string or a function.")
        if self.reschedule_at is not None and not callable(self.reschedule_at):
            raise TypeError(f"reschedule_at is {self.reschedule_at!r}: it takes a function.")
        if self.on_commit is not None and not isinstance(self.on_commit, bool):
            raise TypeError(f"on_commit is {self.on_commit!r}: it takes True or False.")

    def or_else(self, other: Options) -> Options:
        """These options; where nothing is said, the other's."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(other, **{name: value for name, value in said.items() if value is not None})


NOTHING = Options()


def options(
    *,
    max_attempts: int | None = None,
    max_run_time: float | dt.timedelta | None = None,
    unique_key: str | Callable[..., str | None] | None = None,
    reschedule_at: Callable[[dt.datetime, int], dt.datetime] | None = None,
    batch: Any = None,
    on_commit: bool | None = None,
) -> Callable[[Decorated], Decorated]:
    """Says of a task how the queue handles it. Use it under or above `@task`.

    `max_attempts` is 1 by default. `max_run_time` is in seconds or a timedelta.
    `unique_key` is a string, or a function of the task's arguments that returns one, or
    None for no key. `reschedule_at(now, attempts)` returns when the next attempt is
    due. `batch` is a `batchexec.Resources`, or a mapping of its arguments. With
    `on_commit=True`, the task is stored once your open transactions are committed.

    Raises TypeError or ValueError for a value that can't be meant.
    """
    said = Options(max_attempts, max_run_time, unique_key, reschedule_at, batch, on_commit)

    def decorate(decorated: Decorated) -> Decorated:
        function: Any = decorated
        if is_task(function):
            function = function.func
        if not inspect.isfunction(function):
            raise TypeError(
                f"@jobs.tasks.options stands at a task or a function, not {decorated!r}."
            )
        setattr(function, ATTRIBUTE, said.or_else(of(function)))
        return decorated

    return decorate


def of(function: Any) -> Options:
    """What is said of a task's function."""
    found = getattr(function, ATTRIBUTE, NOTHING)
    return found if isinstance(found, Options) else NOTHING


class BackendOptions:
    """OPTIONS of a backend in TASKS.

    `max_attempts`, `max_run_time`, `batch` and `on_commit` for all its tasks, and the
    same for a queue's in `queues`. Raises TypeError or ValueError for anything else.
    """

    NAMES = ("max_attempts", "max_run_time", "batch", "on_commit")

    def __init__(self, given: Any):
        found = dict(_mapping("OPTIONS", given))
        queues = _mapping("OPTIONS['queues']", found.pop("queues", {}))
        self._of_all = self._read("OPTIONS", found)
        self._of_queues = {
            name: self._read(f"OPTIONS['queues'][{name!r}]", said).or_else(self._of_all)
            for name, said in queues.items()
        }

    def of(self, queue: str) -> Options:
        return self._of_queues.get(queue, self._of_all)

    def _read(self, label: str, given: Any) -> Options:
        if unknown := [name for name in _mapping(label, given) if name not in self.NAMES]:
            raise TypeError(
                f"{label} has an unknown key {unknown[0]!r}: it takes {', '.join(self.NAMES)}"
                + (", queues." if label == "OPTIONS" else ".")
            )
        try:
            return Options(**given)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{label}: {error}") from None


def _mapping(label: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{label} must be a dictionary, not {given!r}.")
    return given
