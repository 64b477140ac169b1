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

#: For how many seconds a job that can't be interrupted may overstay its time limit
#: before its process is ended.
GRACE = 10.0


def invoke(job: AbstractJob) -> None:
    """Calls before, perform, success, after; or error and after, if one of them raises.

    The exception goes on to the caller. A job that lasts longer than its `max_run_time`
    is interrupted by a WorkerTimeout.
    """
    payload = job.payload
    limit = job.max_run_time
    try:
        try:
            expired = WorkerTimeout(f"execution expired (max_run_time is {limit:g} seconds)")
            with time_limit(limit, expired):
                payloads.call_hook(payload, "before", job)
                payloads.perform(payload)
                payloads.call_hook(payload, "success", job)
        except BaseException as error:
            _report_error(payload, job, error)
            raise
    finally:
        payloads.call_hook(payload, "after", job)
        _end_transactions()


def longest(job: AbstractJob) -> float | None:
    """Seconds after which the process is ended for a job that could not be interrupted.

    None if the job has no limit.
    """
    try:
        limit = job.max_run_time
        return limit + GRACE if limit else None
    except Exception:
        return None  # whatever is wrong with the payload is met when it is performed


def _end_transactions() -> None:
    """Closes connections on which the job turned autocommit off and left a transaction
    open.

    The record of its outcome would become part of that transaction.
    """
    for connection in connections.all():
        if connection.connection is None or connection.in_atomic_block:
            continue
        if connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
            connection.close()


def _report_error(payload: object, job: AbstractJob, error: BaseException) -> None:
    try:
        payloads.call_hook(payload, "error", job, error)
    except Exception:
        # The job's own error matters more than that of its hook.
        logger.exception("The error hook of job %s raised.", job)
