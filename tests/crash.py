"""A plugin that kills its process at a chosen point of the hand-over.

CRASH_AT names it: before:submit, after:record_submission, …
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from batchexec import markers
from batchexec.aws.client import BatchClient
from batchexec.handover.settle import Settlement
from jobs import Plugin, transitions
from jobs.execution.outcomes import Recorder

#: The steps that a process can die before and after, by name.
STEPS: dict[str, tuple[Any, str]] = {
    "hand_over": (transitions, "hand_over"),
    "commit_intent": (markers, "commit_intent"),
    "submit": (BatchClient, "submit"),
    "record_submission": (markers, "record_submission"),
    "record_status": (markers, "record_status"),
    "settle": (Settlement, "settle"),
    "failed": (Recorder, "failed"),
    "clear": (markers, "clear"),
}


class Crash(Plugin):
    pass


def _deadly(step: Callable[..., Any], place: str) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = step(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


if crash_at := os.environ.get("CRASH_AT"):
    place, _, name = crash_at.partition(":")
    owner, attribute = STEPS[name]
    setattr(owner, attribute, _deadly(getattr(owner, attribute), place))
