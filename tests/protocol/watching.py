"""A worker with --batch claims its job, watches it, and ends it:
batchexec.handover.follow and settle.
"""

from __future__ import annotations

from tests.protocol import deleting, entering, giving_back
from tests.protocol.outcomes import failed_attempt, holds, is_living, not_held, succeed_unseen
from tests.protocol.rules import KEPT, LEFT, TERMINATED, UNDESERVED, Rules
from tests.protocol.state import (
    CANCELLED,
    DETACHED,
    NO_BATCH_JOB,
    READY,
    RUNNING,
    Bounds,
    State,
    Step,
    Steps,
    Watcher,
    with_container,
    with_watcher,
)


def claim(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.store: Store.claim, for a worker that hands over: `runner` stays."""
    if s.row.state in (READY, DETACHED):
        row = s.row._replace(state=RUNNING, lock=n, lapsed=False)
        after = Watcher("finding", row.epoch)
        if row.told and not row.handed_over:
            after = Watcher("deciding first", row.epoch, seen=row.attempts)
        yield Step(f"claims the {s.row.state} job", with_watcher(s._replace(row=row), n, after))


def poll(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """client.describe, by the poller. While the Batch job goes on, nothing follows from
    it.
    """
    if (gone := not_held(s, n, w)) is not None:
        yield Step("notices that it no longer holds the job", gone)
    container = s.containers[w.batch_job]
    if container.over or container.at == "gone":
        yield Step(
            f"sees that Batch job {w.batch_job} is over",
            with_watcher(s, n, w._replace(at="settling")),
        )
        if not rules.success_by_row and holds(s, n, w):
            cleared = with_watcher(succeed_unseen(s), n, w._replace(at="clearing"))
            yield Step(f"sees that Batch job {w.batch_job} SUCCEEDED, and records that", cleared)


def settle(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Settlement.settle, up to its decision, which is made by the row as it is read
    here.
    """
    row = s.row
    if (gone := not_held(s, n, w)) is not None:
        yield Step("reads that it no longer holds the job", gone)
    elif row.runner >= 0 and row.runner != w.batch_job and rules.give_up_own_ended:
        after = w._replace(at="recording runner", seen=row.runner)
        yield Step(f"reads that Batch job {row.runner} is registered", with_watcher(s, n, after))
    elif row.runner >= 0 and not row.stale and rules.give_up_stale:
        yield Step("reads that the runner is alive", with_watcher(s, n, w._replace(at="watching")))
    else:
        is_free = giving_back.grants(s, row.runner, rules, bounds)
        counted = s._replace(row=row._replace(free=row.free + is_free))
        after = w._replace(at="giving up", seen=row.runner, free=is_free)
        yield Step("decides to give the execution up", with_watcher(counted, n, after))


def record_runner(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.record_runner: the registered Batch job takes the place of the one that
    was recorded.
    """
    marker = s.marker
    if marker is not None and marker.epoch == w.marker_epoch and marker.batch_job == w.batch_job:
        after = s._replace(marker=marker._replace(batch_job=w.seen))
        yield Step(
            f"records Batch job {w.seen}",
            with_watcher(after, n, w._replace(at="watching", batch_job=w.seen, seen=0)),
        )
    else:
        at = "rereading" if rules.runner_reread else "watching"
        yield Step("finds the marker changed", with_watcher(s, n, w._replace(at=at, seen=0)))


def give_up(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.execution.outcomes.failed with jobs.transitions.as_seen: a sign of life
    since the row was read wins.
    """
    refused = w.at == "giving up a refused one"
    if holds(s, n, w) and (s.row.runner == w.seen or not rules.give_up_as_read):
        failed = failed_attempt(s.row, bounds, counted=not w.free)
        is_deserved = not w.free or giving_back.is_deserved(s, s.row.runner)
        after = s._replace(row=failed, broken="" if is_deserved else UNDESERVED)
        text = "records a failed attempt" + (", which isn't counted" if w.free else "")
        yield Step(text, with_watcher(after, n, w._replace(at="clearing", seen=0, free=False)))
    elif not refused:
        watching = w._replace(at="watching", seen=0, free=False)
        yield Step("finds the row changed", with_watcher(s, n, watching))
    elif rules.refusal_goes_on:
        yield Step("finds the row changed", with_watcher(s, n, w._replace(at="refused", seen=0)))
    else:
        yield Step("finds the row changed", with_watcher(s, n, Watcher("ended", w.epoch)))


def refused(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Settlement.give_up: AWS Batch won't take the job. An earlier submission may be
    under way all the same.
    """
    if (gone := not_held(s, n, w)) is not None:
        yield Step("reads that it no longer holds the job", gone)
    elif s.row.runner >= 0 and rules.refusal_spares_runner:
        after = w._replace(at="recording", batch_job=s.row.runner)
        yield Step(f"reads that Batch job {s.row.runner} is registered", with_watcher(s, n, after))
    else:
        after = w._replace(at="giving up a refused one", seen=s.row.runner)
        yield Step("decides to give the execution up", with_watcher(s, n, after))


def clear(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.clear."""
    marker = s.marker
    if marker is not None and (marker.epoch == w.marker_epoch or not rules.clear_conditional):
        broken = KEPT if is_living(s.row, marker.epoch) else ""
        broken = LEFT if deleting.is_left_running(s) else broken
        yield Step(
            "clears the marker", with_watcher(s._replace(marker=None, broken=broken), n, Watcher())
        )
    else:
        yield Step("finds no marker of its epoch", with_watcher(s, n, Watcher()))


def ended(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Settlement.outcome_of_record: the row is past this epoch."""
    text = f"reads that the execution is over: {s.row.state}"
    is_mine = s.marker is not None and s.marker.epoch == w.epoch
    if is_mine and giving_back.is_undecided(s.marker, s.row):
        yield Step(f"{text}, and leaves its marker", with_watcher(s, n, Watcher()))
        return
    is_deleted = is_mine and deleting.is_ended(s) and rules.terminate_unwanted
    is_followed = s.row.state == CANCELLED or is_deleted
    at = "following to the end" if is_followed else "finding what to clear"
    yield Step(text, with_watcher(s, n, w._replace(at=at)))


def follow_to_the_end(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Settlement._ended_after_cancel: the Batch job of a job that was cancelled or
    deleted is terminated.
    """
    marker = s.marker
    is_mine = marker is not None and marker.epoch == w.epoch
    if is_mine and (alive := alive_in_batch(s)):
        yield Step(f"terminates Batch jobs {alive}", terminate(s, alive))
    elif not (is_mine and may_be_listed_yet(s)):
        yield Step(
            "has nothing to terminate", with_watcher(s, n, w._replace(at="finding what to clear"))
        )


def alive_in_batch(s: State) -> list[int]:
    """The Batch jobs that Sweeper.ended_after_cancel would terminate."""
    if s.marker is None:
        return []
    if s.marker.batch_job == NO_BATCH_JOB:
        wanted = [
            number
            for number, c in enumerate(s.containers)
            if c.epoch == s.marker.epoch and c.listed
        ]
    else:
        wanted = [s.marker.batch_job]
    return [
        number
        for number in wanted
        if s.containers[number].at != "gone" and not s.containers[number].over
    ]


def may_be_listed_yet(s: State) -> bool:
    """Whether it means nothing yet that ListJobs doesn't show a submission."""
    marker = s.marker
    if marker is None or marker.batch_job != NO_BATCH_JOB or marker.settled:
        return False
    return not any(c.epoch == marker.epoch and c.listed for c in s.containers)


def terminate(s: State, numbers: list[int]) -> State:
    for number in numbers:
        container = s.containers[number]
        s = with_container(s, number, container._replace(at="gone", paused=False))
        if s.row.runner == number and not container.cancelled:
            s = s._replace(broken=TERMINATED)
    return s


def find_to_clear(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Settlement._clear_marker, its reading."""
    if s.marker is not None and s.marker.epoch == w.epoch:
        yield Step(
            "finds the marker", with_watcher(s, n, w._replace(at="clearing", marker_epoch=w.epoch))
        )
    else:
        yield Step("finds no marker of its epoch", with_watcher(s, n, Watcher()))


STEPS = {
    **entering.STEPS,
    **giving_back.STEPS,
    "idle": claim,
    "watching": poll,
    "settling": settle,
    "recording runner": record_runner,
    "giving up": give_up,
    "giving up a refused one": give_up,
    "refused": refused,
    "clearing": clear,
    "ended": ended,
    "following to the end": follow_to_the_end,
    "finding what to clear": find_to_clear,
}
