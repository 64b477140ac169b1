"""Who runs the job's code: containers (jobs.running.run_registered,
jobs.worker.Worker.run) and the worker without --batch.
"""

from __future__ import annotations

from tests.protocol.outcomes import record
from tests.protocol.rules import IN_PROCESS, ONCE, TOO_LATE, Rules
from tests.protocol.state import (
    DETACHED,
    NO_RUNNER,
    PLAIN,
    PLAIN_RUNNER,
    READY,
    RUNNING,
    Bounds,
    Container,
    Plain,
    State,
    Step,
    Steps,
    with_container,
)

OUTCOMES = ((True, "succeeds"), (False, "fails"))


def container(s: State, n: int, c: Container, rules: Rules, bounds: Bounds) -> Steps:
    row = s.row
    if c.at == "waiting" and s.deleting:
        return  # a start takes longer than the two statements of a deletion
    if c.at == "waiting":
        # Starts, and reads the row: where the epoch is another one it is refused before
        # it tries to register.
        at = "registering" if row.epoch == c.epoch else "gone"
        text = "starts" if at == "registering" else "starts, and is refused: its epoch is over"
        yield Step(text, with_container(s, n, c._replace(at=at)))
    elif c.at == "registering":
        yield _register(s, n, c, rules)
    elif c.at == "running":
        if (row.epoch == c.epoch or not rules.outcome_epoch) and (
            row.runner == n or not rules.outcome_runner
        ):
            for success, text in OUTCOMES:
                after = record(s, c.epoch, n, success=success, cancelled=c.cancelled, bounds=bounds)
                yield Step(text, with_container(after, n, c._replace(at="gone")))
        else:
            yield Step("has its outcome dropped", with_container(s, n, c._replace(at="dropped")))
    elif c.at == "dropped":
        after = (
            s._replace(row=row._replace(runner=NO_RUNNER, stale=False)) if row.runner == n else s
        )
        yield Step(
            "ends (its runner is cleared)" if row.runner == n else "ends",
            with_container(after, n, c._replace(at="gone")),
        )


def _register(s: State, n: int, c: Container, rules: Rules) -> Step:
    """jobs.transitions.register: the first of an epoch wins."""
    row = s.row
    right_epoch = row.epoch == c.epoch or not rules.register_epoch
    free = row.runner == NO_RUNNER or not rules.register_if_free
    if right_epoch and free and row.state in (RUNNING, DETACHED):
        broken = TOO_LATE if row.epoch != c.epoch else ONCE if row.runner != NO_RUNNER else ""
        after = s._replace(row=row._replace(runner=n, stale=False), broken=broken)
        return Step("registers, and begins", with_container(after, n, c._replace(at="running")))
    return Step("is refused", with_container(s, n, c._replace(at="gone")))


def plain(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.worker.Worker.run. The claim makes it the runner, too."""
    row, p = s.row, s.plain
    if p.at == "idle":
        if row.state == READY or (row.state == DETACHED and not rules.detached_to_batch_only):
            claimed = row._replace(
                state=RUNNING, lock=PLAIN, lapsed=False, runner=PLAIN_RUNNER, stale=False
            )
            after = s._replace(
                row=claimed,
                plain=Plain("running", row.epoch),
                broken=IN_PROCESS if row.handed_over else "",
            )
            yield Step(f"claims the {row.state} job, and begins", after)
    elif p.at == "running":
        if (row.epoch == p.epoch or not rules.outcome_epoch) and (
            row.runner == PLAIN_RUNNER or not rules.outcome_runner
        ):
            for success, text in OUTCOMES:
                after = record(
                    s, p.epoch, PLAIN_RUNNER, success=success, cancelled=p.cancelled, bounds=bounds
                )
                yield Step(text, after._replace(plain=Plain()))
        else:
            yield Step("has its outcome dropped", s._replace(plain=Plain("dropped")))
    else:
        after = (
            s._replace(row=row._replace(runner=NO_RUNNER, stale=False))
            if row.runner == PLAIN_RUNNER
            else s
        )
        yield Step("ends its execution", after._replace(plain=Plain()))
