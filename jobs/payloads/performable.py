"""Job objects: what they look like, and what the queue asks of them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from jobs.conf import settings
from jobs.conf.options import duration
from jobs.payloads.asynchronous import finished
from jobs.payloads.reporting import progress

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform() -> Callable[[type], type]:
        """Tells type checkers alone that subclasses are dataclasses."""
        return lambda cls: cls


#: What the queue calls at the stations of a job's life.
HOOKS = ("enqueue", "before", "success", "error", "after", "failure")
#: What else it may ask of a job object.
METHODS = ("display_name", "reschedule_at", "unique_key", "destroy_failed_jobs")

#: Whether the code that asks is part of a job that is being performed.
performing: ContextVar[bool] = ContextVar("performing", default=False)

_making = threading.RLock()


class _Progress:
    """`jobs.progress`, for instances alone: a dataclass takes what its class has for
    the default of a field of that name.
    """

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., None]:
        if instance is None:
            raise AttributeError("progress")
        return progress


@dataclass_transform()
class Performable:
    """The base of job objects: dataclasses, decorated or not, with a `perform()`
    method.

    Everything else is optional, as in Delayed Job. Attributes: `queue_name`,
    `max_attempts`, `max_run_time` (seconds or a timedelta), `destroy_failed_jobs`, and
    `unique_key` (or a method). Methods: `display_name()` and `reschedule_at(now,
    attempts)`. Hooks: `enqueue(job)`, `before(job)`, `success(job)`, `error(job,
    exception)`, `after(job)`, `failure(job)`. A hook that declares no parameter gets
    none.
    """

    def _require_known(self) -> None:
        """Raises NotKnownYet if this process's code lacks what the object names."""

    def _succeeded(self, job: Any) -> None:
        """Called when the success of a job that keeps its result is recorded."""

    def _cancelled(self, job: Any) -> None:
        """Called when the cancel of such a job is recorded, if it was the only one."""

    #: Tells how far the job has come: `self.progress(done, total, "message")`.
    progress = _Progress()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """The bases give their fields, as type checkers see it, decorated or not."""
        super().__init_subclass__(**kwargs)
        for base in reversed(cls.__mro__[1:]):
            if base is not Performable and issubclass(base, Performable) and _has_fields(base):
                as_dataclass(base)

    def __new__(cls, *args: Any, **kwargs: Any) -> Performable:
        # Not when the class is made, because a decorator that comes later would find
        # the fields' defaults gone.
        as_dataclass(cls)
        return super().__new__(cls)


def as_dataclass(cls: type[Performable]) -> None:
    """Makes a dataclass of a class that isn't one yet; a frozen one if its base is."""
    if "__dataclass_fields__" in cls.__dict__:
        return
    with _making:  # a second time would find the fields' defaults gone
        if "__dataclass_fields__" not in cls.__dict__:
            inherited = getattr(cls, "__dataclass_params__", None)
            dataclasses.dataclass(frozen=inherited is not None and inherited.frozen)(cls)


def _has_fields(cls: type) -> bool:
    """Whether it has some of its own. Without any, a frozen class may follow."""
    try:
        annotations = inspect.get_annotations(cls).values()
    except Exception:  # of a name that is defined further below
        return True
    return not all(map(_is_of_the_class, annotations))


def _is_of_the_class(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return re.match(r"(\w+\.)*ClassVar\b", annotation) is not None
    return ClassVar in (annotation, get_origin(annotation))


def subclasses(cls: type[Performable]) -> Iterator[type[Performable]]:
    """All that this process has loaded, each behind its base."""
    for one in cls.__subclasses__():
        yield one
        yield from subclasses(one)


def check(payload: Any) -> None:
    """Raises TypeError if `payload` isn't a job object that can be stored and
    performed.
    """
    if isinstance(payload, type):
        raise TypeError(f"{payload.__qualname__} is a class: enqueue an instance of it.")
    if not isinstance(payload, Performable):
        raise TypeError(
            f"{type(payload).__qualname__} is not a jobs.Performable, so it can't be enqueued."
        )
    if not callable(getattr(payload, "perform", None)):
        raise TypeError(
            f"{type(payload).__qualname__} has no perform() method, so it can't be enqueued."
        )


def display_name(payload: Any) -> str:
    own = getattr(payload, "display_name", None)
    if callable(own):
        return str(finished(own()))
    return f"{type(payload).__module__}.{type(payload).__qualname__}"


def perform(payload: Any) -> Any:
    """What the job is for. Returns what it returns; an asynchronous one is awaited."""
    token = performing.set(True)
    try:
        return finished(payload.perform())
    finally:
        performing.reset(token)


def call_hook(payload: Any, name: str, *args: Any) -> None:
    """Calls the hook if the payload has it; without arguments if it declares no
    parameter.
    """
    hook = getattr(payload, name, None)
    if callable(hook):
        call_with_accepted(hook, *args)


def call_with_accepted(function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function` with as many of `args` as it declares parameters for.

    An asynchronous function is awaited.
    """
    return finished(function(*args[: _positional(function)]))


def _positional(function: Callable[..., Any]) -> int:
    count = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return sys.maxsize
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count


def unique_key(payload: Any) -> str | None:
    key = getattr(payload, "unique_key", None)
    key = finished(key()) if callable(key) else key
    return None if key is None else str(key)


def max_attempts(payload: Any) -> int:
    own = getattr(payload, "max_attempts", None)
    return int(settings.MAX_ATTEMPTS if own is None else own)


def max_run_time(payload: Any) -> float:
    own = getattr(payload, "max_run_time", None)
    limit = float(settings.MAX_RUN_TIME)
    return limit if own is None else min(duration(own), limit)


def destroys_when_failed(payload: Any) -> bool:
    own = getattr(payload, "destroy_failed_jobs", None)
    own = finished(own()) if callable(own) else own
    return bool(settings.DESTROY_FAILED_JOBS if own is None else own)
