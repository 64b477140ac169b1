"""The signals of outcomes. A receiver that raises changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.logs import get_logger

if TYPE_CHECKING:
    from django.dispatch import Signal

    from jobs.models import AbstractJob

logger = get_logger(__name__)


def tell(signal: Signal, job: AbstractJob, **more: Any) -> None:
    """Sends a signal about an outcome. Raises nothing."""
    try:
        if signal.has_listeners(type(job)):
            for receiver, raised in signal.send_robust(sender=type(job), job=job, **more):
                if isinstance(raised, Exception):
                    text = "The receiver %r of a signal about job %s raised"
                    logger.error(text, receiver, job, exc_info=raised)
    except BaseException:  # such as SystemExit
        logger.exception("A receiver of a signal about job %s raised", job)
