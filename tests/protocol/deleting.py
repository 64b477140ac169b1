"""The operator deletes the job's row (jobs.operator.bulk.delete), and what becomes of
its Batch job.
"""

from __future__ import annotations

from tests.protocol.rules import Rules
from tests.protocol.state import FINISHED, GONE, Bounds, Row, State, Step, Steps

#: Here a worker has read that the job is its own to submit.
ENTERING = (
    "handing over",
    "intending",
    "replacing",
    "reading its marker",
    "submitting",
    "looking at list",
    "repeating",
)


def is_ended(s: State) -> bool:
    """batchexec.handover.settle.is_unwanted, of a row that is gone: whether its marker
    says that somebody deleted it.
    """
    return s.row.state == GONE and s.marker is not None and s.marker.unwanted


def is_left_running(s: State) -> bool:
    """Whether the deleted job's registered runner goes on. Its marker is its end.

    After a pause there may be two Batch jobs, and the runner not be the marker's: that
    one ends by itself, or by `batchjobs reconcile --terminate`.
    """
    row = s.row
    if row.state != GONE or row.runner < 0 or s.marker is None or s.excused:
        return False
    runner = s.containers[row.runner]
    return runner.at == "running" and not runner.over and runner.epoch == s.marker.epoch


def begin(s: State, rules: Rules) -> Steps:
    """transitions.discard_batch chooses the row."""
    row = s.row
    if not s.deletions or s.deleting or row.state in FINISHED:
        return
    chosen = s._replace(deletions=s.deletions - 1, deleting=row.state)
    if rules.mark_before_deleting:
        yield Step("the operator is about to delete the row", _marked(chosen), True)
    else:
        yield Step("the operator deletes the row", _deleted(chosen), True)


def end(s: State, rules: Rules, bounds: Bounds) -> Steps:
    if not s.deleting:
        return
    after = _deleted(s) if rules.mark_before_deleting else _marked(s)
    text = "the row is deleted" if after.row.state == GONE else "the row has changed, and stays"
    yield Step(text, after._replace(deleting=""))


def _marked(s: State) -> State:
    """markers.mark_unwanted."""
    return s._replace(marker=s.marker and s.marker._replace(unwanted=True))


def _deleted(s: State) -> State:
    """Store.delete_many, of a row that still is in that state.

    A worker that has just read the row may submit it all the same. Its marker says what
    becomes of that.
    """
    row = s.row
    if row.state != s.deleting:
        return s
    is_submitting = any(w.at in ENTERING for w in s.watchers)
    containers = tuple(
        c._replace(cancelled=True) if c.epoch == row.epoch else c for c in s.containers
    )
    gone = Row(GONE, row.epoch + 1, row.attempts, runner=row.runner)
    excused = s.excused or is_submitting
    return s._replace(row=gone, containers=containers, excused=excused)
