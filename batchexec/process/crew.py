"""A few threads that act for a thousand that wait.

A thread that has once made a call through Django's ORM or boto3 keeps about fifty
kilobytes for good, most of them stack, and a connection. So the thread of a slot only
waits, and a crew makes the calls.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.db import connections, reset_queries

P = ParamSpec("P")
T = TypeVar("T")

#: How long an idle thread stays, with its database connection open, in seconds.
LINGER = 1.0


class Crew:
    """Up to `size` threads, which come with the work and go when it is done.

    A step must not call on the crew that it runs on.
    """

    def __init__(self, size: int, name: str):
        self._size = size
        self._name = name
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0

    def do(self, step: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Calls `step` on a thread of the crew, and returns or raises what it does.

        The main thread calls it itself, because it has a connection anyway.
        """
        if threading.current_thread() is threading.main_thread():
            return step(*arguments, **keywords)
        future: Future[T] = Future()
        with self._lock:
            self._open += 1
            # With the caller's context, which says what log records are about.
            step_here = partial(copy_context().run, step, *arguments, **keywords)
            self._work.put((future, step_here))
            if self._threads < min(self._open, self._size):
                self._threads += 1
                threading.Thread(target=self._run, daemon=True, name=self._name).start()
        return future.result()

    def _run(self) -> None:
        try:
            while self._do_one():
                pass
        finally:
            connections.close_all()

    def _do_one(self) -> bool:
        try:
            future, step = self._work.get(timeout=LINGER)
        except queue.Empty:
            return not self._leaves()
        try:
            result = step()
        except BaseException as error:
            self._done()
            future.set_exception(error)
        else:
            self._done()
            future.set_result(result)
        return True

    def _leaves(self) -> bool:
        """Whether an idle thread may end: not while a step counts on it."""
        with self._lock:
            if self._open >= self._threads:
                return False
            self._threads -= 1
            return True

    def _done(self) -> None:
        reset_queries()  # with DEBUG, Django would keep thousands
        with self._lock:
            self._open -= 1
