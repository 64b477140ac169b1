"""The three signals of `django.tasks`. A receiver that raises changes nothing."""

from __future__ import annotations

from typing import Any

from jobs.exceptions import Interruption
from jobs.logs import get_logger
from jobs.tasks.compat import task_backends

logger = get_logger(__name__)


def tell(signal: Any, result: Any) -> None:
    """Sends the signal with the result; the sender is the class of its backend.

    Django logs what a receiver raises. An interruption of the job goes on.
    """
    try:
        signal.send_robust(_sender(result.backend), task_result=result)
    except (Interruption, KeyboardInterrupt):
        raise
    except BaseException:
        logger.exception("A receiver of a signal of task %s raised:", result.id)


def _sender(alias: str) -> type:
    try:
        return type(task_backends[alias])
    except Exception:  # it has gone from TASKS
        from jobs.tasks.backend import JobsBackend

        return JobsBackend
