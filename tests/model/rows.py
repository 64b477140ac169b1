"""What must hold of the rows after every step: that they are as the model has them, and
what holds whatever the model says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.models import Job
from jobs.store import store_for
from tests.model.model import FINISHED, SILENT_AFTER, UNFINISHED, WAITING, ModelJob, ModelQueue

COMPARED = [
    "queue",
    "priority",
    "run_at",
    "unique_key",
    "state",
    "attempts",
    "epoch",
    "locked_by",
    "locked_at",
    "handed_over",
    "runner",
    "heartbeat_at",
]


def read_rows() -> dict[Any, Job]:
    return {job.pk: job for job in store_for(Job).find({}, limit=1000)}


def check_against_model(rows: Mapping[Any, Job], model: ModelQueue) -> None:
    expected = {job.pk: _compared(job) for job in model.present()}
    assert {pk: _compared(row) for pk, row in rows.items()} == expected
    for job in model.jobs.values():
        assert job.gone in ("", *FINISHED), f"{job} was lost"


def check_by_themselves(rows: Mapping[Any, Job]) -> None:
    for row in rows.values():
        assert row.state in (*UNFINISHED, *FINISHED)
        if row.state == "running":
            assert row.locked_by, f"a running job without a watcher: {vars(row)}"
            assert row.locked_at is not None
        else:
            assert (row.locked_by, row.locked_at) == ("", None), f"a lock on {vars(row)}"
        if row.state in WAITING:
            assert (row.runner, row.heartbeat_at, row.handed_over) == ("", None, False), (
                f"an execution of {vars(row)}"
            )
        if row.state == "detached":
            assert row.handed_over, f"let go of, but executed nowhere: {vars(row)}"
        if row.state in FINISHED:
            assert not row.handed_over
            assert row.unique_key is None, f"the key is still held by {vars(row)}"
            assert row.finished_at is not None
            assert row.state == "cancelled" or not row.runner
        if row.state == "failed":
            assert row.failed_at is not None
            assert row.last_error, f"no reason given for {vars(row)}"
    keys = [row.unique_key for row in rows.values() if row.unique_key is not None]
    assert len(keys) == len(set(keys))


def check_step(before: Mapping[Any, Job], after: Mapping[Any, Job]) -> None:
    """One step, one row: the fencing token, and who is named as the runner."""
    for pk, now in after.items():
        was = before.get(pk)
        if was is None:
            assert (now.epoch, now.attempts) == (0, 0)
            continue
        assert now.epoch in (was.epoch, was.epoch + 1), f"epoch {was.epoch} became {now.epoch}"
        if now.epoch > was.epoch:
            assert not now.handed_over
            # A container may have registered between the read and the write of the
            # step: only a cancel may name one still.
            assert now.state == "cancelled" or not now.runner
            continue
        again = was.state in FINISHED and now.state == "ready"
        assert again or now.attempts == was.attempts, (
            "an attempt was counted, and no execution ended"
        )
        assert not (was.state in UNFINISHED and now.state in FINISHED), (
            f"{was.state} became {now.state} in the same epoch"
        )
        if was.runner and now.runner != was.runner:
            if now.runner:
                check_later_attempt(was, now)
            else:
                assert was.state == "cancelled"


def check_later_attempt(was: Job, now: Job) -> None:
    """Within an epoch a runner is replaced only by its own Batch job's next attempt,
    once it has been silent.
    """
    earlier, later = (row.runner.partition("@")[0].split("/") for row in (was, now))
    assert later[:-1] == earlier[:-1], f"{was.runner} was replaced by {now.runner}"
    assert int(later[-1]) == int(earlier[-1]) + 1
    assert now.heartbeat_at - was.heartbeat_at > SILENT_AFTER


def _compared(job: Job | ModelJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in COMPARED}
