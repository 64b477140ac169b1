"""A process that a job forks never goes on as the worker."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import Any

from jobs.children import end_with_work_item, flush
from jobs.store.cleanup import disown_all

_lock = threading.Lock()
_performing = 0
_registered = False
#: The parent's connections, which a child must neither use nor close.
_kept: list[Any] = []


class performing:
    """A child that is forked in the body, in any thread, has default signal handlers,
    and no connection of its parent's.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        global _performing, _registered
        with _lock:
            if not _registered and hasattr(os, "register_at_fork"):
                os.register_at_fork(before=_before, after_in_child=_in_child)
                _registered = True
            _performing += 1

    def __exit__(self, *error: object) -> None:
        global _performing
        with _lock:
            _performing -= 1


def _before() -> None:
    if _performing:
        flush()  # or the child would write it once more


def _in_child() -> None:
    if not _performing:
        return
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    with suppress(ValueError):  # not in the main thread of a sub-interpreter
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _kept.extend(disown_all())
    end_with_work_item()
