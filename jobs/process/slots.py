"""A worker's places for jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections


class Slots:
    """The jobs that a worker performs at once.

    A single slot performs its job in the calling thread; several are threads.
    """

    def __init__(self, size: int):
        self.size = size
        self._busy = 0
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        return self._busy

    @property
    def free(self) -> int:
        return self.size - self._busy

    def wait_for_free(self, given_up: Callable[[], bool], seconds: float = 1.0) -> bool:
        """Waits until a slot is free; returns False once `given_up()` is true.

        It is asked at least every `seconds`.
        """
        with self._changed:
            while self._busy >= self.size:
                if given_up():
                    return False
                self._changed.wait(seconds)
        return not given_up()

    def run(self, function: Callable[..., Any], *args: Any) -> None:
        """Runs it in a slot, one of which must be free."""
        with self._changed:
            self._busy += 1
        if self.size == 1:
            self._run(function, args)
        else:
            # A daemon, so that a job which can't be interrupted doesn't keep the
            # process alive.
            threading.Thread(
                target=self._run_in_thread, args=(function, args), daemon=True, name="jobs-slot"
            ).start()

    def wait_until_idle(self) -> None:
        with self._changed:
            while self._busy:
                self._changed.wait()

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _run_in_thread(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        def body(*args: Any) -> None:
            try:
                function(*args)
            finally:
                connections.close_all()

        self._run(body, args)
