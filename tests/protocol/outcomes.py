"""What is written about the job's execution (jobs.transitions), and what its holder
reads of it.
"""

from __future__ import annotations

from tests.protocol.rules import CANCELLED as SUCCESS_OF_CANCELLED
from tests.protocol.rules import FALSE_SUCCESS, OUTCOME
from tests.protocol.state import (
    DETACHED,
    FAILED,
    NOBODY,
    READY,
    RUNNING,
    SCHEDULED,
    SUCCEEDED,
    Bounds,
    Row,
    State,
    Watcher,
    with_watcher,
)


def over(row: Row, state: str, attempts: int) -> Row:
    """jobs.transitions.EXECUTION_OVER: all that belongs to an execution is cleared, and
    the epoch rises.
    """
    return Row(state, row.epoch + 1, attempts, told=row.told, free=row.free)


def failed_attempt(row: Row, bounds: Bounds, *, counted: bool = True, told: bool = False) -> Row:
    """jobs.execution.outcomes.failed: rescheduled, or failed for good where that was
    the last attempt.
    """
    attempts = row.attempts + counted
    state = FAILED if attempts >= bounds.attempts else SCHEDULED
    return over(row, state, attempts)._replace(told=told)


def record(
    state: State, epoch: int, runner: int, *, success: bool, cancelled: bool, bounds: Bounds
) -> State:
    """An executor's outcome, its conditions being met: jobs.transitions.succeed,
    reschedule, fail.
    """
    row = state.row
    broken = ""
    if row.epoch != epoch or row.runner != runner:
        broken = SUCCESS_OF_CANCELLED if success and cancelled else OUTCOME
    return state._replace(
        row=_succeeded(row) if success else failed_attempt(row, bounds),
        broken=broken,
    )


def succeed_unseen(state: State) -> State:
    """A success that nobody but AWS Batch's exit code speaks of."""
    return state._replace(row=_succeeded(state.row), broken=FALSE_SUCCESS)


def _succeeded(row: Row) -> Row:
    return over(row, SUCCEEDED, row.attempts)._replace(told=False)


def holds(state: State, number: int, watcher: Watcher) -> bool:
    """jobs.transitions.as_watcher."""
    row = state.row
    return row.state == RUNNING and row.lock == number and row.epoch == watcher.epoch


def not_held(state: State, number: int, watcher: Watcher) -> State | None:
    """batchexec.handover.slot.Slot.row: where the watcher goes on once it isn't one any
    more; None while it is.
    """
    if state.row.epoch != watcher.epoch:
        return with_watcher(state, number, Watcher("ended", watcher.epoch))
    return None if holds(state, number, watcher) else with_watcher(state, number, Watcher())


def let_go(state: State, number: int, watcher: Watcher) -> State:
    """batchexec.handover.follow.Follower._let_go: one conditional write, which does
    nothing where the lock is lost.
    """
    row = state.row
    if holds(state, number, watcher):
        row = (
            row._replace(state=DETACHED, lock=NOBODY, lapsed=False)
            if row.handed_over
            else over(row, READY, row.attempts)
        )
    return with_watcher(state._replace(row=row), number, Watcher())


def is_living(row: Row, epoch: int) -> bool:
    """Whether an execution of that epoch is under way."""
    return row.epoch == epoch and row.state in (RUNNING, DETACHED)
