"""What happens around a job: maintenance, time, the operator, AWS Batch, and faults."""

from __future__ import annotations

from tests.protocol import deleting, giving_back
from tests.protocol.outcomes import failed_attempt, over
from tests.protocol.rules import LEFT, Rules
from tests.protocol.state import (
    CANCELLED,
    DEAD,
    DEAD_RUNNER,
    DETACHED,
    FINISHED,
    GONE,
    NO_BATCH_JOB,
    NO_RUNNER,
    NOBODY,
    OUTDATED,
    PLAIN,
    PLAIN_RUNNER,
    READY,
    RUNNING,
    SCHEDULED,
    Bounds,
    Plain,
    Row,
    State,
    Step,
    Steps,
    Watcher,
    with_container,
    with_watcher,
)
from tests.protocol.watching import alive_in_batch, may_be_listed_yet, terminate

NAMES = "AB"
#: Where an actor waits. Anywhere else it takes its next step at once, unless it is
#: paused: nothing that takes time comes between.
WAITING = frozenset({"idle", "watching", "looking at row", "throttled", "following to the end"})
CONTAINER_WAITS = frozenset({"waiting", "running", "gone"})


def all_wait(s: State) -> bool:
    first, second = s.watchers
    return (
        (first.at in WAITING or first.paused)
        and (second.at in WAITING or second.paused)
        and (s.plain.at != "dropped" or s.plain.paused)
        and (s.decider.at == "idle" or s.decider.paused)
        and not s.deleting
        and all(c.at in CONTAINER_WAITS or c.paused for c in s.containers)
    )


def maintenance(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.process.reaper.Reaper and batchexec.upkeep.sweeper.Sweeper.

    A read, and a write on condition of all that was read, are one step.
    """
    row, marker = s.row, s.marker
    if not all_wait(s):
        return
    if row.state == SCHEDULED:
        yield Step("the job is promoted", s._replace(row=row._replace(state=READY)))
    if row.lapsed:
        yield _reap(s, rules, bounds)
    if giving_back.is_undecided(marker, row):
        yield from giving_back.looks(s, rules)
    elif marker is not None and marker.epoch != row.epoch:
        is_ended = row.state == CANCELLED or (deleting.is_ended(s) and rules.terminate_unwanted)
        if is_ended and (alive := alive_in_batch(s)):
            yield Step(f"a sweep terminates Batch jobs {alive}", terminate(s, alive))
        elif not (is_ended and may_be_listed_yet(s)):
            broken = LEFT if deleting.is_left_running(s) else ""
            yield Step("a sweep clears the marker", s._replace(marker=None, broken=broken))


def _reap(s: State, rules: Rules, bounds: Bounds) -> Step:
    row = s.row
    if row.handed_over and row.runner not in (PLAIN_RUNNER, DEAD_RUNNER):
        if rules.detach:
            return Step(
                "the job is reaped: detached",
                s._replace(row=row._replace(state=DETACHED, lock=NOBODY, lapsed=False)),
            )
        return Step("the job is reaped: ready", s._replace(row=over(row, READY, row.attempts)))
    if row.runner != NO_RUNNER:
        return Step(
            "the job is reaped: a failed attempt", s._replace(row=failed_attempt(row, bounds))
        )
    return Step("the job is reaped: ready", s._replace(row=over(row, READY, row.attempts)))


def time(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """Leases, heartbeats and SETTLE run out. The first two only for who is dead or
    paused; who is not renews them.
    """
    row, marker = s.row, s.marker
    if not all_wait(s):
        return
    if row.state == RUNNING:
        holder_lives = _holder_lives(s)
        if not row.lapsed and not holder_lives:
            after = s._replace(row=row._replace(lapsed=True))
            silent = row.lock == PLAIN and s.plain.at == "running"
            yield Step(
                "the lease runs out",
                after._replace(plain=s.plain._replace(silent=True)) if silent else after,
            )
        elif row.lapsed and holder_lives:
            yield Step("the holder renews its lease", s._replace(row=row._replace(lapsed=False)))
    if row.runner != NO_RUNNER and row.state != GONE:
        runner_lives = _runner_lives(s)
        if not row.stale and not runner_lives:
            yield Step("the runner's heartbeat runs out", _silent(s))
        elif row.stale and runner_lives:
            yield Step("the runner shows a sign of life", _sign_of_life(s))
    if marker is not None and marker.batch_job == NO_BATCH_JOB and not marker.settled:
        shown = tuple(
            c._replace(listed=True) if c.epoch == marker.epoch else c for c in s.containers
        )
        yield Step(
            "SETTLE passes", s._replace(marker=marker._replace(settled=True), containers=shown)
        )


def _holder_lives(s: State) -> bool:
    lock = s.row.lock
    if lock == DEAD:
        return False
    holder: Watcher | Plain = s.plain if lock == PLAIN else s.watchers[lock]
    return holder.at != "idle" and holder.epoch == s.row.epoch and not holder.paused


def _runner_lives(s: State) -> bool:
    runner = s.row.runner
    if runner >= 0:
        return s.containers[runner].at != "gone" and not s.containers[runner].paused
    return runner == PLAIN_RUNNER and not s.plain.paused


def _silent(s: State) -> State:
    runner = s.row.runner
    s = s._replace(row=s.row._replace(stale=True))
    if runner >= 0 and s.containers[runner].at != "gone":
        return with_container(s, runner, s.containers[runner]._replace(silent=True))
    return s._replace(plain=s.plain._replace(silent=True)) if runner == PLAIN_RUNNER else s


def _sign_of_life(s: State) -> State:
    for number, watcher in enumerate(s.watchers):
        if watcher.at.startswith("giving up"):
            s = with_watcher(s, number, watcher._replace(seen=OUTDATED))
    return s._replace(row=s.row._replace(stale=False))


def operator(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.operator.actions.cancel and retry. A retry has one attempt here, which keeps
    the model small.
    """
    row = s.row
    if s.cancels and row.state not in FINISHED:
        runner, stale = (row.runner, row.stale) if rules.cancel_keeps_runner else (NO_RUNNER, False)
        cancelled = Row(
            CANCELLED, row.epoch + 1, row.attempts, runner=runner, stale=stale, free=row.free
        )
        containers = tuple(
            c._replace(cancelled=True) if c.epoch == row.epoch else c for c in s.containers
        )
        plain = (
            s.plain._replace(cancelled=True)
            if s.plain.at == "running" and s.plain.epoch == row.epoch
            else s.plain
        )
        after = s._replace(row=cancelled, containers=containers, plain=plain, cancels=s.cancels - 1)
        yield Step("the operator cancels the job", after, True)
    if (
        s.retries
        and row.state == CANCELLED
        and (row.runner == NO_RUNNER or row.stale)
        and all_wait(s)
    ):
        again = Row(READY, row.epoch, bounds.attempts - 1, free=row.free)
        yield Step(
            "the operator retries the job", s._replace(row=again, retries=s.retries - 1), True
        )
    if all_wait(s):
        yield from deleting.begin(s, rules)


def resuming(s: State, rules: Rules, bounds: Bounds) -> Steps:
    for number, w in enumerate(s.watchers):
        if w.paused:
            yield Step(
                f"worker {NAMES[number]} resumes", with_watcher(s, number, w._replace(paused=False))
            )
    for number, c in enumerate(s.containers):
        if c.paused:
            yield Step(
                f"container {number} resumes", with_container(s, number, c._replace(paused=False))
            )
    if s.plain.paused:
        yield Step("the plain worker resumes", s._replace(plain=s.plain._replace(paused=False)))


def faults(s: State, rules: Rules, bounds: Bounds) -> Steps:
    """Deaths, pauses, and a Batch job that is over (or isn't known for GONE_AFTER)
    while its container lives.
    """
    if not s.faults:
        return
    s = s._replace(faults=s.faults - 1)
    row = s.row
    for number, w in enumerate(s.watchers):
        if w.at == "idle":
            continue
        left = s._replace(row=row._replace(lock=DEAD)) if row.lock == number else s
        yield Step(f"worker {NAMES[number]} dies", with_watcher(left, number, Watcher()), True)
        if not w.paused:
            paused = with_watcher(s, number, w._replace(paused=True))._replace(excused=True)
            yield Step(f"worker {NAMES[number]} is paused", paused, True)
    for number, c in enumerate(s.containers):
        if c.at == "gone":
            continue
        yield Step(
            f"container {number} dies",
            with_container(s, number, c._replace(at="gone", paused=False)),
            True,
        )
        if c.at != "waiting":
            if not c.paused:
                paused = with_container(s, number, c._replace(paused=True))._replace(excused=True)
                yield Step(f"container {number} is paused", paused, True)
            if not c.over:
                yield Step(
                    f"Batch job {number} is over, but its container lives",
                    with_container(s, number, c._replace(over=True)),
                    True,
                )
    if s.plain.at != "idle":
        dead = row._replace(lock=DEAD if row.lock == PLAIN else row.lock, runner=_dead_runner(row))
        yield Step("the plain worker dies", s._replace(row=dead, plain=Plain()), True)
        if not s.plain.paused:
            paused = s._replace(plain=s.plain._replace(paused=True), excused=True)
            yield Step("the plain worker is paused", paused, True)


def _dead_runner(row: Row) -> int:
    return DEAD_RUNNER if row.runner == PLAIN_RUNNER else row.runner


STEPS = (
    maintenance,
    time,
    operator,
    deleting.end,
    resuming,
    faults,
    giving_back.machines,
    giving_back.decider,
)
