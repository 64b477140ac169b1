"""A plugin that kills its process at a chosen point of the hand-over, or between two
jobs.

CRASH_AT names it: before:submit, after:record_submission, before:COMMIT, … What the
process printed last names it, too, so that a test can tell this death from every other.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db.backends.utils import CursorWrapper

from batchexec import markers
from batchexec.aws.client import BatchClient
from batchexec.handover import settle
from jobs import Plugin, transitions
from jobs.store.sql import SqlStore

#: The steps that a process can die before and after, by name.
STEPS: dict[str, tuple[Any, str]] = {
    "hand_over": (transitions, "hand_over"),
    "commit_intent": (markers, "commit_intent"),
    "submit": (BatchClient, "submit"),
    "record_submission": (markers, "record_submission"),
    "record_status": (markers, "record_status"),
    "classify": (settle, "classify"),
    "reschedule": (transitions, "reschedule"),
    "clear": (markers, "clear"),
    "put_off": (transitions, "put_off"),
    "refund": (transitions, "refund"),
    "terminate": (BatchClient, "terminate"),
    "end_and_claim": (SqlStore, "end_and_claim"),
}


class Crash(Plugin):
    pass


def _deadly(step: Callable[..., Any], place: str) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if place == "after":
            step(*args, **kwargs)
        print(died_at(f"{place}:{step.__name__}"), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    return wrapper


def died_at(point: str) -> str:
    """What a process printed that died at this point."""
    return f"Killed {point}"


def _deadly_statement(execute: Callable[..., Any], statement: str) -> Callable[..., Any]:
    def wrapper(self: Any, sql: str, *args: Any) -> Any:
        if sql == statement:
            print(died_at(f"before:{statement}"), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, sql, *args)

    return wrapper


if crash_at := os.environ.get("CRASH_AT"):
    place, _, name = crash_at.partition(":")
    if name.isupper():
        # In the worker's own transaction; Django's don't go through a cursor.
        CursorWrapper.execute = _deadly_statement(CursorWrapper.execute, name)
    else:
        owner, attribute = STEPS[name]
        setattr(owner, attribute, _deadly(getattr(owner, attribute), place))
