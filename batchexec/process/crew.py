"""A few threads that act for a thousand that wait.

A thread that has once made a call through Django's ORM or boto3 keeps some fifty kilobytes for good, most of them stack, and a
connection of its own. The thread of a slot therefore only waits; the calls are a crew's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from django.db import connections, reset_queries

T = TypeVar("T")

#: How long a thread of a crew stays without work, with its connection to the database open, in seconds.
LINGER = 1.0


class Crew:
    """Up to `size` threads, which come with the work and go without it. None may call upon its own crew."""

    def __init__(self, size: int, name: str):
        self._size = size
        self._name = name
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0

    def do(self, step: Callable[[], T]) -> T:
        """Has the step done, and returns or raises what it does. The main thread does it itself: it has a connection anyway."""
        if threading.current_thread() is threading.main_thread():
            return step()
        future: Future[T] = Future()
        with self._lock:
            self._open += 1
            self._work.put((future, step))
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
            with self._lock:
                if self._open >= self._threads:
                    return True  # somebody counts on this thread
                self._threads -= 1
            return False
        try:
            result = step()
        except BaseException as error:
            self._done()
            future.set_exception(error)
        else:
            self._done()
            future.set_result(result)
        return True

    def _done(self) -> None:
        reset_queries()  # with DEBUG, Django would keep thousands
        with self._lock:
            self._open -= 1
