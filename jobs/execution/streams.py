"""The descriptors 0 to 2 and the streams on them, which a job may close or replace."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from typing import Any

STREAMS = {0: "stdin", 1: "stdout", 2: "stderr"}


class Streams:
    """Keeps copies of the descriptors, to put them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[tuple[int, int], int]] = {}

    def keep(self) -> None:
        """Call it before a job, while no other is performed."""
        with self._lock:
            for descriptor in STREAMS:
                found = _identity(descriptor)
                before, copy = self._kept.get(descriptor, (None, -1))
                if found != before:
                    if copy >= 0:
                        os.close(self._kept.pop(descriptor)[1])
                    if found is not None:
                        self._kept[descriptor] = found, os.dup(descriptor)

    def changed(self) -> list[int]:
        """The descriptors that are closed, or lead elsewhere, or whose stream is
        closed.
        """
        return [
            descriptor
            for descriptor, (before, _) in self._kept.items()
            if _identity(descriptor) != before or _is_closed(descriptor)
        ]

    def restore(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            before, copy = self._kept[descriptor]
            if _identity(descriptor) != before:
                os.dup2(copy, descriptor)
            if _is_closed(descriptor):
                _replace(descriptor)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_closed(descriptor: int) -> bool:
    stream = getattr(sys, STREAMS[descriptor])
    try:
        return stream is not None and bool(stream.closed)
    except ValueError:  # its buffer was detached
        return True


def _replace(descriptor: int) -> None:
    """Another stream, also for the handlers that log to it."""
    closed: Any = getattr(sys, STREAMS[descriptor])
    mode = "r" if descriptor == 0 else "w"
    stream = open(  # noqa: SIM115 (as long as the process)
        descriptor,
        mode,
        buffering=1,
        encoding="utf-8",
        errors="backslashreplace",
        closefd=False,
    )
    setattr(sys, STREAMS[descriptor], stream)
    with contextlib.suppress(AttributeError):
        setattr(sys, f"__{STREAMS[descriptor]}__", stream)
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in known:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is closed:
                handler.stream = stream


streams = Streams()
