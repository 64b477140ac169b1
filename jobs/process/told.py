"""What the keeper is told of its worker."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

from django.apps import apps

from jobs.payloads import codec
from jobs.process.holds import WATCHED, Hold

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
MILLISECOND = dt.timedelta(milliseconds=1)


class Told:
    """A hold as the worker told it, made on first use: most end before that."""

    def __init__(self, deadline: float | None, *described: Any):
        self.deadline = deadline
        self._described = described
        self.is_watched = described[-1] == WATCHED

    @cached_property
    def hold(self) -> Hold:
        label, pk, where, changed = self._described
        return Hold(apps.get_model(label), codec.decode(pk), where, changed)


def number_of(instant: dt.datetime) -> int:
    """An instant in whole milliseconds, for a pipe."""
    return (instant - EPOCH) // MILLISECOND


def instant(number: int) -> dt.datetime:
    return EPOCH + number * MILLISECOND


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP or a debugger stopped the process; False if the system doesn't
    tell.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may itself contain anything.
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False
