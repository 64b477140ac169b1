"""A worker with --batch gets its job into AWS Batch: batchexec.handover.enter.Entry,
and batchexec.markers.

Each function yields what the worker may do next from one place: one conditional write,
or one remote call.
"""

from __future__ import annotations

from tests.protocol.outcomes import holds, is_living, let_go, not_held
from tests.protocol.rules import FOREIGN, KEPT, RESUBMITTED, TERMINATED, Rules
from tests.protocol.state import (
    GONE,
    NO_BATCH_JOB,
    Bounds,
    Container,
    Marker,
    State,
    Step,
    Steps,
    Watcher,
    with_container,
    with_watcher,
)


def find(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Entry.enter: the marker of this epoch is taken over.

    One of an older epoch isn't.
    """
    marker = s.marker
    if marker is None or (rules.adopt_own_epoch and marker.epoch != w.epoch):
        yield Step(
            "finds no marker of its epoch",
            with_watcher(s, n, w._replace(at="handing over", marker_epoch=w.epoch)),
        )
        return
    w = w._replace(marker_epoch=marker.epoch, tries=marker.tries, batch_job=marker.batch_job)
    yield Step("takes over what the marker says", _go_on_from_marker(s, n, w, rules))


def _go_on_from_marker(s: State, n: int, w: Watcher, rules: Rules) -> State:
    if w.batch_job == NO_BATCH_JOB:
        return with_watcher(
            s, n, w._replace(at="looking at row" if rules.look_before_repeating else "submitting")
        )
    broken = FOREIGN if s.containers[w.batch_job].epoch != w.epoch else ""
    return with_watcher(s, n, w._replace(at="watching"))._replace(broken=broken)


def hand_over(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """jobs.transitions.hand_over.

    From here on nobody performs this epoch in a worker.
    """
    if not rules.hand_over_before_submission:
        yield Step("leaves handed_over for later", with_watcher(s, n, w._replace(at="intending")))
    elif not rules.hand_over_before_marker and (s.marker is None or s.marker.epoch != w.epoch):
        yield Step(
            "leaves handed_over for after the marker",
            with_watcher(s, n, w._replace(at="intending")),
        )
    elif holds(s, n, w):
        at = (
            "submitting"
            if not rules.hand_over_before_marker or not rules.intent_first
            else "intending"
        )
        handed = s._replace(row=s.row._replace(handed_over=True))
        yield Step("sets handed_over", with_watcher(handed, n, w._replace(at=at)))
    else:
        yield Step(
            "can't set handed_over: it no longer holds the job", with_watcher(s, n, Watcher())
        )


def intend(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.commit_intent, up to its insert, or to its reading of an older marker."""
    after = (
        "submitting"
        if rules.hand_over_before_marker or not rules.hand_over_before_submission
        else "handing over"
    )
    if s.marker is None:
        marked = s._replace(marker=Marker(w.epoch))
        yield Step("commits the marker", with_watcher(marked, n, w._replace(at=after)))
        if after == "submitting":
            yield from _waits(marked, n, w)
    elif s.marker.epoch >= w.epoch:
        yield Step("finds that another has the marker, and lets go", let_go(s, n, w))
    else:
        yield Step(
            "reads an older marker",
            with_watcher(s, n, w._replace(at="replacing", seen=s.marker.epoch)),
        )


def replace(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.commit_intent, its conditional change of an older marker."""
    marker = s.marker
    if marker is not None and (marker.epoch == w.seen or not rules.replace_conditional):
        broken = KEPT if marker.epoch > w.epoch and is_living(s.row, marker.epoch) else ""
        after = s._replace(marker=Marker(w.epoch), broken=broken)
        yield Step(
            "replaces the older marker",
            with_watcher(after, n, w._replace(at="reading its marker", seen=0)),
        )
    else:
        yield Step("finds the older marker changed, and lets go", let_go(s, n, w))


def read_own(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.commit_intent, its last line."""
    marker = s.marker
    if marker is None or (rules.intent_reread and marker.epoch != w.epoch):
        yield Step("finds its marker gone, and lets go", let_go(s, n, w))
    else:
        at = (
            "submitting"
            if rules.hand_over_before_marker or not rules.hand_over_before_submission
            else "handing over"
        )
        w = w._replace(marker_epoch=marker.epoch, tries=marker.tries)
        yield Step("reads its marker", with_watcher(s, n, w._replace(at=at)))
        if at == "submitting":
            yield from _waits(s, n, w)


def _waits(s: State, n: int, w: Watcher) -> Steps:
    """Entry._say_why: the marker is there, and nothing can be submitted just now.

    The worker goes on as after throttling.
    """
    waiting = w._replace(at="throttled")
    yield Step("waits for AWS to take jobs", with_watcher(s, n, waiting))


def submit(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """client.submit: it is never certain what becomes of the reply."""
    if (gone := not_held(s, n, w)) is not None:
        yield Step("notices that it no longer holds the job", gone)
    unknown = w._replace(at="looking at row" if rules.look_before_repeating else "submitting")
    number = len(s.containers)
    if number < bounds.batch_jobs:
        broken = RESUBMITTED if s.row.state == GONE and not s.excused else ""
        accepted = s._replace(containers=(*s.containers, Container(w.epoch)), broken=broken)
        recording = w._replace(at="recording", batch_job=number)
        yield Step(f"submits: Batch job {number}", with_watcher(accepted, n, recording))
        if s.faults:
            lost = accepted._replace(faults=s.faults - 1)
            if rules.intent_first:
                yield Step(
                    f"submits: Batch job {number}, but the reply is lost",
                    with_watcher(lost, n, unknown),
                    True,
                )
            if not rules.no_sdk_retries and number + 1 < bounds.batch_jobs:
                again = lost._replace(containers=(*lost.containers, Container(w.epoch)))
                text = (
                    f"submits: Batch job {number}, the reply is lost, and the "
                    f"SDK submits again: Batch job {number + 1}"
                )
                yield Step(
                    text, with_watcher(again, n, recording._replace(batch_job=number + 1)), True
                )
    if s.faults and rules.intent_first:
        faulty = s._replace(faults=s.faults - 1)
        yield Step(
            "submits, and neither request nor reply arrives", with_watcher(faulty, n, unknown), True
        )
        yield Step(
            "submits, and is throttled", with_watcher(faulty, n, w._replace(at="throttled")), True
        )
        yield Step(
            "submits, and is refused for good",
            with_watcher(faulty, n, w._replace(at="refused")),
            True,
        )


def after_throttling(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Entry._take_try: the next try, after a pause of any length."""
    is_unread = s.row.state == GONE and not rules.row_before_repeating
    if (gone := not_held(s, n, w)) is not None and not is_unread:
        yield Step("notices that it no longer holds the job", gone)
    elif rules.intent_renewed:
        yield from repeat(s, n, w, rules, bounds)
    else:
        yield Step("tries again", with_watcher(s, n, w._replace(at="submitting")))


def record(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.record_submission: the Batch job's id, where none is recorded yet."""
    marker = s.marker
    if not rules.intent_first and (marker is None or marker.epoch < w.epoch):
        marker = Marker(w.epoch)
    at = "cancelling others" if w.others else "watching"
    if (
        marker is not None
        and marker.epoch == w.marker_epoch
        and (marker.batch_job == NO_BATCH_JOB or not rules.record_once)
    ):
        broken = FOREIGN if s.containers[w.batch_job].epoch != marker.epoch else ""
        recorded = Marker(marker.epoch, w.batch_job, unwanted=marker.unwanted)
        after = s._replace(marker=recorded, broken=broken)
        after = (
            after._replace(row=s.row._replace(handed_over=True))
            if _hands_over_late(s, n, w, rules)
            else after
        )
        yield Step(
            f"records Batch job {w.batch_job}",
            with_watcher(after, n, w._replace(at=at, tries=0, seen=0)),
        )
    else:
        yield Step("finds the marker changed", with_watcher(s, n, w._replace(at="rereading")))


def _hands_over_late(s: State, n: int, w: Watcher, rules: Rules) -> bool:
    return not rules.hand_over_before_submission and holds(s, n, w)


def reread(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Entry.reread: goes on from what somebody else wrote."""
    marker = s.marker
    if marker is None or marker.epoch != w.marker_epoch:
        yield Step("finds its marker gone, and lets go", let_go(s, n, w))
        return
    w = w._replace(batch_job=marker.batch_job, tries=marker.tries, seen=0)
    if w.others and w.batch_job != NO_BATCH_JOB:
        others = tuple(other for other in w.others if other != w.batch_job)
        yield Step(
            "reads the marker again",
            with_watcher(s, n, w._replace(at="cancelling others", others=others)),
        )
    else:
        yield Step("reads the marker again", _go_on_from_marker(s, n, w, rules))


def look_at_row(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """Entry._found: the row may name the Batch job; else whether the look that follows
    is the last one.
    """
    if (gone := not_held(s, n, w)) is not None:
        yield Step("reads that it no longer holds the job", gone)
    elif s.row.runner >= 0:
        recording = w._replace(at="recording", batch_job=s.row.runner)
        yield Step(
            f"reads that Batch job {s.row.runner} is registered", with_watcher(s, n, recording)
        )
    else:
        marker = s.marker
        is_old = (
            marker is None
            or marker.epoch != w.marker_epoch
            or marker.tries > w.tries
            or marker.settled
        )
        last = int(is_old or not rules.settle)
        yield Step(
            "reads that nobody is registered",
            with_watcher(s, n, w._replace(at="looking at list", seen=last)),
        )


def look_at_list(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """client.find: ListJobs shows what has been there for SETTLE; of what is newer,
    anything or nothing.
    """
    named = [number for number, container in enumerate(s.containers) if container.epoch == w.epoch]
    for shown in range(1 << len(named)):
        found = [number for bit, number in enumerate(named) if shown >> bit & 1]
        missed = [number for number in named if number not in found and s.containers[number].listed]
        if missed and not s.faults:
            continue
        seen = s._replace(faults=s.faults - 1, excused=True) if missed else s
        how = " (it is blind beyond SETTLE)" if missed else ""
        if found:
            winner, *others = sorted(
                found, key=lambda number: (_progress(s.containers[number]), number)
            )
            after = w._replace(
                at="recording", batch_job=winner, others=tuple(sorted(others)), seen=0
            )
            yield Step(
                f"finds in ListJobs: {found}{how}", with_watcher(seen, n, after), bool(missed)
            )
        else:
            after = w._replace(at="repeating" if w.seen else "looking at row", seen=0)
            yield Step(
                f"finds nothing in ListJobs{how}", with_watcher(seen, n, after), bool(missed)
            )


def _progress(container: Container) -> int:
    return {"waiting": 1, "gone": 2}.get(container.at, 0)


def repeat(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """markers.repeat_intent: of two workers that come to this, one does it."""
    marker = s.marker
    if (
        marker is not None
        and marker.epoch == w.marker_epoch
        and marker.batch_job == NO_BATCH_JOB
        and (marker.tries == w.tries or not rules.repeat_conditional)
    ):
        tries = marker.tries + 1
        after = s._replace(marker=marker._replace(tries=tries, settled=False))
        yield Step(
            "renews the intent", with_watcher(after, n, w._replace(at="submitting", tries=tries))
        )
    else:
        yield Step("finds the intent changed", with_watcher(s, n, w._replace(at="rereading")))


def cancel_others(s: State, n: int, w: Watcher, rules: Rules, bounds: Bounds) -> Steps:
    """client.cancel: a Batch job that lost ends, unless it has started: then
    registration decides.
    """
    if not w.others:
        yield Step("watches", with_watcher(s, n, w._replace(at="watching")))
        return
    other, *rest = w.others
    container = s.containers[other]
    after = with_watcher(
        s, n, w._replace(at="cancelling others" if rest else "watching", others=tuple(rest))
    )
    if container.at == "waiting":
        after = with_container(after, other, container._replace(at="gone", listed=False))
    elif not rules.losers_not_terminated and container.at != "gone":
        after = with_container(after, other, container._replace(at="gone"))
        after = after._replace(
            broken=TERMINATED if container.at == "running" and not container.cancelled else ""
        )
    yield Step(f"has Batch job {other} cancelled", after)


STEPS = {
    "finding": find,
    "handing over": hand_over,
    "intending": intend,
    "replacing": replace,
    "reading its marker": read_own,
    "submitting": submit,
    "throttled": after_throttling,
    "recording": record,
    "rereading": reread,
    "looking at row": look_at_row,
    "looking at list": look_at_list,
    "repeating": repeat,
    "cancelling others": cancel_others,
}
