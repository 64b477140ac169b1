"""Calling code of a job's own that may never return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")

#: For how many seconds a call keeps the place that others wait for.
QUICK = 2.0


class TookTooLong(Exception):
    """The call has not returned in time; its thread goes on, unattended."""


def aside(
    function: Callable[[], T],
    seconds: float,
    place: AbstractContextManager[object] | None = None,
) -> T:
    """Calls `function` in a thread of its own, and returns or raises what it does.

    It begins once it has the `place`, of which there are only a few, and gives that up
    after QUICK seconds: what hangs holds up nobody else. Raises TookTooLong after
    `seconds`, so that the caller's thread is free for others.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            connections.close_all()

    thread = threading.Thread(
        target=copy_context().run, args=(call,), daemon=True, name="batchexec-aside"
    )
    with place or nullcontext():
        thread.start()
        thread.join(min(seconds, QUICK))
    thread.join(max(0.0, seconds - QUICK))
    if not outcome:
        raise TookTooLong
    result, error = outcome[0]
    if error is not None:
        raise error
    found: T = result
    return found
