"""An attempt that its container counted because it was told to end.

The container had time to record that, but didn't know why: somebody may have ended it,
or AWS may have taken its machine. AWS says which, often only after a minute. Until then
the marker stays. Whoever clears it then decides: the process that watched the job, a
sweep, or the worker that is about to submit the next attempt.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.failures import classify, essence
from batchexec.handover import fallback, retries
from batchexec.handover.slot import LetGo
from batchexec.process.aside import aside
from batchexec.process.traces import Trace
from batchexec.resources import Resources, resources_of
from batchexec.statuses import TERMINAL
from jobs import transitions
from jobs.execution.questions import ASKED_FOR
from jobs.logs import get_logger
from jobs.states import State
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.handover.slot import Slot
    from batchexec.models import BatchJob
    from batchexec.process.traces import Traces
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: For how many seconds the next attempt is put off while AWS Batch doesn't say how the
#: last one ended, and how often at most: then it counts.
PUT_OFF = 10.0
MOST_PUT_OFFS = 30


def decide(marker: BatchJob, row: AbstractJob, detail: Mapping[str, Any]) -> bool:
    """Clears the marker, and gives the attempt back if AWS took the machine.

    `detail` is AWS Batch's last word. Returns False if somebody else decides.
    """
    # Cleared first: an attempt may be given back late, but never twice.
    if not markers.clear(marker):
        return False
    failure, wishes = classify(detail), _wishes(row)
    fallback.moves_on(row, failure, wishes)
    if retries.grants_free_retry(row, failure, wishes) and transitions.refund(row):
        message = "Job %s: its last attempt is not counted (%s)"
        logger.info(message, row, failure.kind)
    return True


def decide_if_waiting(
    marker: BatchJob, model: type[AbstractJob], pk: Any, detail: Mapping[str, Any]
) -> bool:
    """As `decide`, unless a worker is about to decide that before the next attempt."""
    row = store_for(model).get(pk)
    if row is None or row.state == State.RUNNING or not markers.is_undecided(marker, row):
        return False
    return decide(marker, row, detail)


def decide_before_the_next(slot: Slot, traces: Traces) -> None:
    """What the last attempt counts is settled before its successor is submitted.

    The successor reads the attempts. If AWS Batch doesn't say yet, the job is put off,
    and LetGo raised: its slot is free for others.
    """
    job = slot.job
    if job.handed_over or not markers.was_told_to_end(job):
        return
    marker = slot.persist(markers.find, job)
    if marker is None or marker.epoch >= job.epoch or not marker.batch_job_id:
        return
    found = slot.ask_batch(slot.client.describe_one, marker.batch_job_id)
    if found is None:
        return  # nobody will ever say
    detail = essence(found)
    if detail["status"] in TERMINAL:
        if slot.on_database(decide, marker, job, detail):
            traces.add(Trace(marker, job.name, State.SCHEDULED, detail=detail))
    elif job.epoch - marker.epoch <= MOST_PUT_OFFS:
        later = slot.now() + dt.timedelta(seconds=PUT_OFF)
        if slot.persist(transitions.put_off, job, later):
            message = "Job %s is put off until AWS Batch says how its last attempt ended"
            logger.info(message, job)
        raise LetGo


def _wishes(job: AbstractJob) -> Resources:
    """What the job says about retries; nothing if it can't be read. Never raises."""
    try:
        return aside(lambda: resources_of(job.payload), ASKED_FOR)
    except BaseException:
        return Resources()
