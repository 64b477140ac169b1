"""Performing a job: its hooks, perform(), and the limit on its time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import connections

from jobs import payloads
from jobs.exceptions import WorkerTimeout
from jobs.execution.interrupts import time_limit

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)


def invoke(job: AbstractJob) -> None:
    """before, perform, success, after; or error and after where one of them raises. The exception goes on to the caller.

    All of it happens within `max_run_time`; what lasts longer is interrupted by a WorkerTimeout.
    """
    payload = job.payload
    limit = job.max_run_time
    try:
        try:
            with time_limit(limit, WorkerTimeout(f"execution expired (max_run_time is {limit:g} seconds)")):
                payloads.call_hook(payload, "before", job)
                payload.perform()
                payloads.call_hook(payload, "success", job)
        except BaseException as error:
            _report_error(payload, job, error)
            raise
    finally:
        payloads.call_hook(payload, "after", job)
        _end_transactions()


def _end_transactions() -> None:
    """A job that turned autocommit off and left a transaction open would take the record of its outcome into it."""
    for connection in connections.all():
        if connection.connection is None or connection.in_atomic_block:
            continue
        if connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
            connection.close()


def _report_error(payload: object, job: AbstractJob, error: BaseException) -> None:
    try:
        payloads.call_hook(payload, "error", job, error)
    except Exception:
        # What went wrong with the job matters more than what went wrong with telling it.
        logger.exception("The error hook of job %s raised.", job)
