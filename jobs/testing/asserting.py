"""What a test says of the jobs that wait to be performed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
from typing import TYPE_CHECKING, Any

from jobs.models import Job
from jobs.payloads import Performable, subclasses
from jobs.payloads.shapes import shape_of
from jobs.states import UNFINISHED
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Columns that a test may ask for beside the fields of the job object.
COLUMNS = ("queue", "priority", "run_at", "unique_key")
#: MongoDB keeps milliseconds.
KEPT = dt.timedelta(milliseconds=1)
#: Jobs that a message shows.
SHOWN = 20


def assert_enqueued(
    wanted: Any,
    *,
    count: int | None = None,
    fields: dict[str, Any] | None = None,
    model: type[AbstractJob] = Job,
    **expected: Any,
) -> AbstractJob:
    """Raises AssertionError unless such a job waits to be performed; returns the first.

    `wanted` is a class of job objects, a task of `django.tasks`, or a job's name, such
    as `shop.models.Order#send` for a delayed method. `expected` are fields of the job
    object, arguments of the task, and `queue`, `priority`, `run_at` and `unique_key`;
    a field of such a name goes into `fields`. With `count`, exactly that many such jobs
    must wait. Raises TypeError for anything else, and for names that the class or the
    task doesn't have.
    """
    found = _matching(model, wanted, fields or {}, expected)
    if found if count is None else len(found) == count:
        return found[0] if found else None  # type: ignore[return-value]
    number = "No such job waits" if count is None else f"{len(found)} such jobs wait, not {count}"
    raise AssertionError(f"{number}: {_said(wanted, fields, expected)}. {_waiting_ones(model)}")


def assert_not_enqueued(
    wanted: Any,
    *,
    fields: dict[str, Any] | None = None,
    model: type[AbstractJob] = Job,
    **expected: Any,
) -> None:
    """Raises AssertionError if such a job waits; arguments are as above."""
    assert_enqueued(wanted, count=0, fields=fields, model=model, **expected)


def assert_no_jobs(model: type[AbstractJob] = Job) -> None:
    """Raises AssertionError if any job waits to be performed."""
    if _unfinished(model):
        raise AssertionError(_waiting_ones(model))


def _matching(
    model: type[AbstractJob], wanted: Any, fields: dict[str, Any], expected: dict[str, Any]
) -> list[AbstractJob]:
    columns = {name: value for name, value in expected.items() if name in COLUMNS}
    own = {**{k: v for k, v in expected.items() if k not in COLUMNS}, **fields}
    _check(wanted, own)
    return [
        job
        for job in _unfinished(model)
        if _is(job, wanted)
        and all(_alike(getattr(job, name), value) for name, value in columns.items())
        and _has(_arguments(job, wanted), own)
    ]


def _check(wanted: Any, own: dict[str, Any]) -> None:
    """Nothing that can't be there is asked for: it would never be found."""
    if isinstance(wanted, str):
        return
    if not isinstance(wanted, type):
        parameters = inspect.signature(_function_of(wanted)).parameters
        if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            return
        known = set(parameters)
    elif issubclass(wanted, Performable):
        known = {name for cls in (wanted, *subclasses(wanted)) for name in shape_of(cls).known}
    else:
        raise TypeError(f"{wanted.__qualname__} is not a class of job objects.")
    if unknown := own.keys() - known:
        name = wanted.__qualname__ if isinstance(wanted, type) else _function_of(wanted).__name__
        raise TypeError(f"{name} has no {' and no '.join(sorted(unknown))}.")


def _is(job: AbstractJob, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return job.name == wanted
    if isinstance(wanted, type):
        return isinstance(_payload(job), wanted)
    function = _function_of(wanted)
    path = f"{function.__module__}.{function.__qualname__}"
    return bool(job.result) and getattr(_payload(job), "function", None) == path


def _payload(job: AbstractJob) -> Any:
    """The job object; None if it can't be loaded."""
    try:
        return job.payload
    except Exception:
        return None


def _function_of(wanted: Any) -> Any:
    function = getattr(wanted, "func", None)
    if not inspect.isfunction(function):
        raise TypeError(f"{wanted!r} is neither a class of job objects, nor a task, nor a name.")
    return function


def _arguments(job: AbstractJob, wanted: Any) -> Any:
    """What holds the job's fields: its object, or the arguments of a task by name."""
    payload = _payload(job)
    if isinstance(wanted, (str, type)):
        return {} if payload is None else _held(payload)
    args = (None, *payload.args) if payload.takes_context else payload.args
    try:
        bound = inspect.signature(_function_of(wanted)).bind(*args, **payload.kwargs)
    except TypeError:
        return payload.kwargs
    bound.apply_defaults()
    named = dict(bound.arguments)
    for parameter in bound.signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            named.update(named.pop(parameter.name, {}))
    return named


def _held(payload: Performable) -> dict[str, Any]:
    """The fields, with slots or without, and the options that were set on it."""
    fields = (field.name for field in dataclasses.fields(payload))  # type: ignore[arg-type]
    slots = {name: getattr(payload, name) for name in fields if hasattr(payload, name)}
    return {**slots, **getattr(payload, "__dict__", {})}


def _has(held: dict[str, Any], expected: dict[str, Any]) -> bool:
    return all(name in held and _alike(held[name], value) for name, value in expected.items())


def _alike(held: Any, expected: Any) -> bool:
    if isinstance(held, dt.datetime) and isinstance(expected, dt.datetime):
        try:
            return abs(held - expected) < KEPT
        except TypeError:  # one of them is naive
            return False
    return bool(held == expected)


def _unfinished(model: type[AbstractJob]) -> list[AbstractJob]:
    store = store_for(model)
    rows = model._base_manager.using(store.alias).filter(state__in=list(UNFINISHED))
    return list(store.read_each(rows.order_by("pk").values_list("pk", flat=True)))


def _said(wanted: Any, fields: dict[str, Any] | None, expected: dict[str, Any]) -> str:
    name = wanted if isinstance(wanted, str) else getattr(wanted, "__qualname__", None)
    if name is None:
        name = _function_of(wanted).__qualname__
    said = ", ".join(f"{key}={value!r}" for key, value in {**expected, **(fields or {})}.items())
    return f"{name}({said})"


def _waiting_ones(model: type[AbstractJob]) -> str:
    waiting = _unfinished(model)
    if not waiting:
        return "No job waits."
    shown = [f"  {_described(job)}" for job in waiting[:SHOWN]]
    more = [f"  and {len(waiting) - SHOWN} more"] if len(waiting) > SHOWN else []
    number = "1 job waits" if len(waiting) == 1 else f"{len(waiting)} jobs wait"
    return "\n".join([f"{number}:", *shown, *more])


def _described(job: AbstractJob) -> str:
    payload = _payload(job)
    what = f"{job.name}, which can't be loaded" if payload is None else repr(payload)
    when = f"run_at={job.run_at:%Y-%m-%d %H:%M:%S}"
    return f"{what[:500]} in {job.queue!r}, priority={job.priority}, {when}, {job.state}"
