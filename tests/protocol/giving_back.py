"""Attempts that are given back: batchexec.handover.reprieve and retries.

AWS takes a container's machine. If the container has time to record that it was told to
end, the attempt counts at first, and its marker stays until Batch says why it ended.
"""

from __future__ import annotations

from tests.protocol.outcomes import failed_attempt
from tests.protocol.rules import LATE, TWICE, UNDESERVED, Rules
from tests.protocol.state import (
    NO_BATCH_JOB,
    NO_RUNNER,
    READY,
    RUNNING,
    SCHEDULED,
    Bounds,
    Decider,
    Marker,
    Row,
    State,
    Step,
    Steps,
    Watcher,
    with_container,
    with_watcher,
)

WAITING = (SCHEDULED, READY)


def is_undecided(marker: Marker | None, row: Row) -> bool:
    """markers.is_undecided."""
    if marker is None or row.epoch <= marker.epoch or marker.batch_job == NO_BATCH_JOB:
        return False
    is_unstarted = row.state in WAITING or (row.state == RUNNING and not row.handed_over)
    return is_unstarted and row.attempts > 0 and row.told


def grants(s: State, runner: int, rules: Rules, bounds: Bounds) -> bool:
    """retries.grants_free_retry, of an execution that ended without an outcome."""
    if s.row.free >= bounds.free:
        return False
    return is_deserved(s, runner) or not rules.free_if_lost


def is_deserved(s: State, runner: int) -> bool:
    return runner == NO_RUNNER or (runner >= 0 and s.containers[runner].taken)


def machines(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """AWS takes the machine of a container, which does or doesn't get to record that it
    was told to end; or somebody else tells it to.
    """
    if not (s.faults and bounds.free):
        return
    s = s._replace(faults=s.faults - 1)
    for n, c in enumerate(s.containers):
        if c.at in ("gone", "waiting"):
            continue
        lost = with_container(s, n, c._replace(at="gone", paused=False, taken=True))
        yield Step(f"container {n} is lost with its machine", lost, True)
        if c.at != "running" or c.paused or s.row.epoch != c.epoch or s.row.runner != n:
            continue
        row = failed_attempt(s.row, bounds, told=True)
        for taken, why in ((True, "AWS takes its machine"), (False, "somebody ends it")):
            ended = with_container(s, n, c._replace(at="gone", taken=taken))._replace(row=row)
            yield Step(f"container {n} records that it is told to end: {why}", ended, True)


# The worker that holds the job for its next attempt


def decide_first(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """reprieve.decide_before_the_next, up to Batch's last word."""
    marker = s.marker
    if marker is None or marker.epoch >= w.epoch or marker.batch_job == NO_BATCH_JOB:
        yield Step("finds no attempt to decide about", with_watcher(s, n, _enters(w)))
        return
    knows = w._replace(marker_epoch=marker.epoch, batch_job=marker.batch_job)
    if s.containers[marker.batch_job].at == "gone":
        at = "clearing undecided" if rules.decide_by_clearing else "giving back"
        yield Step("reads how the last attempt ended", with_watcher(s, n, knows._replace(at=at)))
    if s.faults:
        late = s._replace(faults=s.faults - 1)
        yield Step("isn't told yet, and puts the job off", _put_off(late, n, w), True)


def _put_off(s: State, n: int, w: Watcher) -> State:
    """transitions.put_off."""
    row = s.row
    if (row.state, row.lock, row.epoch, row.runner) == (RUNNING, n, w.epoch, NO_RUNNER):
        later = Row(SCHEDULED, row.epoch + 1, row.attempts, told=row.told, free=row.free)
        s = s._replace(row=later)
    return with_watcher(s, n, Watcher())


def clear_undecided(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """reprieve.decide, its clearing: of two who come to this, one decides."""
    after = w._replace(at="giving back") if rules.decide_by_clearing else _enters(w)
    if s.marker is not None and s.marker.epoch == w.marker_epoch:
        cleared = s._replace(marker=None)
        yield Step("clears the marker of the last attempt", with_watcher(cleared, n, after))
    else:
        yield Step("finds that another decides", with_watcher(s, n, _enters(w)))


def give_back(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """reprieve.decide, its rest."""
    after = _enters(w) if rules.decide_by_clearing else w._replace(at="clearing undecided")
    text, given = _given_back(s, w.epoch, w.seen, w.batch_job, rules, bounds)
    yield Step(text, with_watcher(given, n, after))


def _enters(w: Watcher) -> Watcher:
    return Watcher("finding", w.epoch)


# A sweep, or the process that watched the last attempt


def decider(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """reprieve.decide_if_waiting."""
    d = s.decider
    if d.paused:
        yield Step("the decider resumes", s._replace(decider=d._replace(paused=False)))
        return
    if d.at == "clearing":
        after = d._replace(at="giving back") if rules.decide_by_clearing else Decider()
        if s.marker is not None and s.marker.epoch == d.marker_epoch:
            cleared = s._replace(marker=None, decider=after)
            yield Step("the decider clears the marker", cleared)
        else:
            yield Step("the decider finds that another decides", s._replace(decider=Decider()))
    elif d.at == "giving back":
        after = Decider() if rules.decide_by_clearing else d._replace(at="clearing")
        text, given = _given_back(s, d.epoch, d.attempts, d.batch_job, rules, bounds)
        yield Step(f"the decider {text}", given._replace(decider=after))
    if d.at != "idle" and s.faults:
        faulty = s._replace(faults=s.faults - 1)
        yield Step("the decider dies", faulty._replace(decider=Decider()), True)
        paused = faulty._replace(decider=d._replace(paused=True), excused=True)
        yield Step("the decider is paused", paused, True)


def looks(s: State, rules: Rules) -> Steps:
    """The decider reads the row and Batch's last word."""
    marker, row = s.marker, s.row
    if s.decider.at != "idle" or marker is None or not is_undecided(marker, row):
        return
    if row.state in WAITING and s.containers[marker.batch_job].at == "gone":
        at = "clearing" if rules.decide_by_clearing else "giving back"
        d = Decider(at, row.epoch, row.attempts, marker.epoch, marker.batch_job)
        yield Step("the decider reads how the last attempt ended", s._replace(decider=d))


def _given_back(
    s: State, epoch: int, attempts: int, batch_job: int, rules: Rules, bounds: Bounds
) -> tuple[str, State]:
    """retries.grants_free_retry and transitions.refund: a death between the two costs a
    free retry.
    """
    row, container = s.row, s.containers[batch_job]
    if row.free >= bounds.free or not (container.taken or not rules.give_back_if_taken):
        return "leaves the attempt counted", s
    row = row._replace(free=row.free + 1)
    is_begun = row.handed_over or row.runner != NO_RUNNER
    is_as_read = (row.epoch, row.attempts) == (epoch, attempts) and not is_begun
    is_as_read = is_as_read and row.state in (*WAITING, RUNNING)
    if not is_as_read and (rules.give_back_as_read or not row.attempts):
        return "finds the row changed: the attempt stays counted", s._replace(row=row)
    broken = "" if container.taken else UNDESERVED
    if container.returned:
        broken = TWICE
    elif is_begun or row.epoch != epoch:
        broken = LATE
    s = with_container(s, batch_job, container._replace(returned=True))
    given = row._replace(attempts=row.attempts - 1)
    return "gives the attempt back", s._replace(row=given, broken=broken)


STEPS = {
    "deciding first": decide_first,
    "clearing undecided": clear_undecided,
    "giving back": give_back,
}
