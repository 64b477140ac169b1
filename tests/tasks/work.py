"""Tasks that the tests enqueue."""

from __future__ import annotations

import functools
import os
import sys
import time
from typing import Any

import jobs.tasks
from jobs.tasks import compat
from tests.samples import calls
from tests.stuck import deadlock
from tests.tasks.backends import Labelled

task = sys.modules[compat.NAME].task

#: What a test has the tasks return or raise.
replies: list[Any] = []


@task
def add(a: Any, b: Any = 0) -> Any:
    """Adds."""
    calls.append(("add", a, b))
    return a + b


@task(priority=7, queue_name="mail")
def mail(**kwargs: Any) -> Any:
    return kwargs


@task
async def think(value: Any) -> Any:
    calls.append(("think", value))
    return value


@task
def reply(*args: Any, **kwargs: Any) -> Any:
    """Returns the next of `replies`, or raises it."""
    found = replies.pop(0)
    if isinstance(found, BaseException):
        raise found
    return found


@task(takes_context=True)
def look(context: Any, *args: Any) -> Any:
    result = context.task_result
    calls.append((context.attempt, result.id, result.status, list(result.worker_ids), result.args))
    return context.attempt


@jobs.tasks.options(max_attempts=3, reschedule_at=lambda now, attempts: now)
@task(takes_context=True)
def stubborn(context: Any, fails: int) -> Any:
    calls.append(context.attempt)
    if context.attempt <= fails:
        raise ValueError(f"try {context.attempt}")
    return context.attempt


@task
@jobs.tasks.options(max_attempts=5, max_run_time=7, batch={"vcpu": 1, "memory": 2048})
def optioned() -> None:
    pass


@task
@jobs.tasks.options(unique_key=lambda order, **_: f"invoice-{order}")
def invoice(order: int, note: str = "") -> str:
    return f"{order}{note}"


def shouting(function: Any) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        return function(*args).upper()

    return wrapped


@task
@shouting
@jobs.tasks.options(max_attempts=4)
def greet(name: str) -> str:
    return f"hello {name}"


@task
def die() -> None:
    os.kill(os.getpid(), 9)


@task
@jobs.tasks.options(max_attempts=2, reschedule_at=lambda now, attempts: now)
def dies_once(path: str) -> str:
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), 9)
    return "alive"


@task
@jobs.tasks.options(max_run_time=0.2)
def endless() -> None:
    while True:
        time.sleep(0.01)


@task
@jobs.tasks.options(max_run_time=0.5)
def stuck() -> None:
    deadlock()


def plain(value: int) -> int:
    return value


#: The name of the function isn't the task's.
undecorated = plain_task = task(plain)


@task
def nothing(*args: Any, **kwargs: Any) -> None:
    pass


@task
async def nothing_async(*args: Any, **kwargs: Any) -> None:
    pass


@task(takes_context=True)
def with_context(context: Any, *args: Any) -> None:
    replies.pop(0)(context)


@task
def leave() -> None:
    exit(1)


@task
def endlessly(begun: str) -> None:
    open(begun, "w").close()
    while True:
        time.sleep(0.01)


class Holder:
    @staticmethod
    def static(value: int) -> int:
        return value


def labelled(value: int) -> int:
    return value


labelled = Labelled(  # type: ignore[assignment]
    func=labelled, label="blue", priority=0, backend="default", queue_name="default", run_after=None
)
nameless = lambda: None  # noqa: E731


@task
async def echo(value: Any) -> Any:
    return value


def hidden() -> None:
    pass


shadowed = task(hidden)
hidden = None  # type: ignore[assignment]
