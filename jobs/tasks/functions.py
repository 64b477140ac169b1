"""The function of a task, and the dotted path by which a worker finds it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from jobs.exceptions import DeserializationError, NotKnownYet
from jobs.payloads import import_dotted
from jobs.payloads.paths import unknown
from jobs.tasks.compat import InvalidTask, Task, is_task


def path_of(function: Any) -> str:
    """The dotted path of a task's function.

    Raises InvalidTask if a worker would find something else by it, or nothing.
    """
    path = f"{function.__module__}.{function.__qualname__}"
    if function.__module__ == "__main__":
        raise InvalidTask(f"{path} can't be imported by a worker: define it in a module.")
    try:
        found = function_at(path)
    except DeserializationError as error:
        raise InvalidTask(f"{path} can't be imported by a worker: {error}") from error
    if found is not function:
        raise InvalidTask(f"{path} names something else than the function of this task.")
    return path


def function_at(path: str) -> Any:
    """The function that a path names, by its task or by itself.

    Raises DeserializationError if there is none, NotKnownYet if this process's code may
    be too old for it.
    """
    found = import_dotted(path)
    return found.func if is_task(found) else found


def task_at(path: str, *, signed: bool, **values: Any) -> Any:
    """The task with these fields, whether or not it could be decorated so today.

    Its queue may be gone from the settings. Nothing is checked, because this is about
    what has been enqueued. If nothing is found by the path, the function raises that. A
    path that isn't `signed` is not looked for.
    """
    found = None
    if signed:
        with contextlib.suppress(Exception):
            found = import_dotted(path)
    like = found if is_task(found) else None
    function = found if like is None else like.func
    values["func"] = function if callable(function) else _stand_in(path)
    cls = Task if like is None else type(like)
    task = object.__new__(cls)
    for field in dataclasses.fields(cls):
        value = values[field.name] if field.name in values else getattr(like, field.name, None)
        object.__setattr__(task, field.name, value)
    return task


def _stand_in(path: str) -> Callable[..., Any]:
    def missing(*args: Any, **kwargs: Any) -> Any:
        raise NotKnownYet(unknown(path))

    missing.__module__, _, missing.__name__ = path.rpartition(".")
    missing.__qualname__ = missing.__name__
    return missing
