"""The protocol's rules, each of which can be switched off, and the invariants they are
there for.
"""

from __future__ import annotations

from typing import NamedTuple

LOST = "no job is lost"
MARKERS_END = "all markers are cleared in the end"
OUTCOME = "one outcome per epoch, of the execution that is registered"
OVERLAP = "executions overlap only in the cases (a), (b), (c)"
ONCE = "one execution begins per epoch"
TOO_LATE = "no execution begins once its epoch is over"
CANCELLED = "no success of a cancelled execution"
FALSE_SUCCESS = "no success without the job's own word"
IN_PROCESS = "a handed-over job is never performed in a worker"
TERMINATED = "no possible runner is terminated, except after a cancel"
FOREIGN = "a marker names, and a worker watches, Batch jobs of its own epoch"
KEPT = "the marker of a living epoch is kept"
TWICE = "an attempt is given back once at most"
UNDESERVED = "only an execution that never began, or whose machine AWS took, is free"
LATE = "no attempt is given back once the next execution is handed over"
RESUBMITTED = "a job whose row was deleted is not submitted"
LEFT = "the Batch job of a deleted row is terminated, or has ended"
ECONOMY = (
    "one submission per epoch, while nothing is paused and ListJobs shows what is older than SETTLE"
)


class Rules(NamedTuple):
    """Which rules are followed: all, or all but one."""

    intent_first: bool = True
    look_before_repeating: bool = True
    settle: bool = True
    intent_renewed: bool = True
    repeat_conditional: bool = True
    no_sdk_retries: bool = True
    record_once: bool = True
    adopt_own_epoch: bool = True
    replace_conditional: bool = True
    intent_reread: bool = True
    clear_conditional: bool = True
    losers_not_terminated: bool = True
    hand_over_before_marker: bool = True
    hand_over_before_submission: bool = True
    detach: bool = True
    detached_to_batch_only: bool = True
    register_if_free: bool = True
    register_epoch: bool = True
    outcome_epoch: bool = True
    outcome_runner: bool = True
    success_by_row: bool = True
    give_up_as_read: bool = True
    give_up_own_ended: bool = True
    give_up_stale: bool = True
    runner_reread: bool = True
    refusal_spares_runner: bool = True
    refusal_goes_on: bool = True
    cancel_keeps_runner: bool = True
    free_if_lost: bool = True
    decide_by_clearing: bool = True
    give_back_if_taken: bool = True
    give_back_as_read: bool = True
    row_before_repeating: bool = True
    mark_before_deleting: bool = True
    terminate_unwanted: bool = True


ALL = Rules()


class Rule(NamedTuple):
    """`breaks` without it, by the trace that is found from `start` with so many faults
    and cancels; "" where none is found.
    """

    text: str
    where: str
    breaks: str = ""
    faults: int = 1
    cancels: int = 0
    free: int = 0
    deletions: int = 0
    attempts: int = 2
    start: str = "enqueued"
    why_kept: str = ""


RULES: dict[str, Rule] = {
    "intent_first": Rule(
        "The marker is committed before anything is submitted", "markers.commit_intent", ECONOMY
    ),
    "look_before_repeating": Rule(
        "A submission with an unknown outcome is looked for before it is repeated",
        "Entry._found",
        ECONOMY,
    ),
    "settle": Rule("Absent from ListJobs means absent only after SETTLE", "Entry._found", ECONOMY),
    "intent_renewed": Rule(
        "SETTLE counts from the last try: the intent is renewed after throttling",
        "Entry._submitted_meanwhile",
        ECONOMY,
        2,
    ),
    "repeat_conditional": Rule(
        "Of two workers that come to repeat a submission, one does it",
        "markers.repeat_intent",
        why_kept=(
            "cost: it takes a pause, and then a second submission is possible with the rule, too"
        ),
    ),
    "no_sdk_retries": Rule("The SDK never retries SubmitJob", "BatchClient.submit", ECONOMY),
    "record_once": Rule(
        "A Batch id is recorded only where none is",
        "markers.record_submission",
        why_kept=(
            "cost: the worker comes to the registered Batch job by Settlement.settle in any case"
        ),
    ),
    "adopt_own_epoch": Rule(
        "A marker of an older epoch is never adopted", "Entry.enter", FOREIGN, 0
    ),
    "replace_conditional": Rule(
        "An older marker is replaced on condition that it still is of that epoch",
        "markers.commit_intent",
        KEPT,
        cancels=1,
        start="rescheduled",
    ),
    "intent_reread": Rule(
        "The marker that is read after replacing one must be of the worker's own epoch",
        "markers.commit_intent",
        FOREIGN,
        cancels=1,
        start="rescheduled",
    ),
    "clear_conditional": Rule(
        "A marker is cleared on condition of its epoch", "markers.clear", KEPT, 0
    ),
    "losers_not_terminated": Rule(
        "Of several Batch jobs of one epoch, the others are cancelled only before they start",
        "Entry._adopt",
        TERMINATED,
        start="about to submit",
    ),
    "hand_over_before_marker": Rule(
        "handed_over is set before the marker is committed",
        "Entry._commit",
        why_kept=(
            "redundant: between the marker and the submission it would do; "
            "the next rule is the one that counts"
        ),
    ),
    "hand_over_before_submission": Rule(
        "handed_over is set before anything is submitted", "Entry._commit", OVERLAP
    ),
    "detach": Rule(
        "A handed-over job whose watcher is gone is detached, not made ready",
        "Reaper._release",
        OVERLAP,
    ),
    "detached_to_batch_only": Rule(
        "Only a worker that hands over takes a detached job", "Store.claim", IN_PROCESS, 1
    ),
    "register_if_free": Rule(
        "A container registers only where nobody has", "transitions.register", ONCE
    ),
    "register_epoch": Rule(
        "A container registers only under its own epoch", "transitions.register", TOO_LATE, 2
    ),
    "outcome_epoch": Rule(
        "An outcome is conditional on its epoch", "transitions.as_executor", CANCELLED, 0, 1
    ),
    "outcome_runner": Rule(
        "An outcome is conditional on being the runner",
        "transitions.as_executor",
        why_kept=(
            "redundant here: it fences an earlier attempt of a Batch job "
            "(transitions.supersede), which isn't modelled"
        ),
    ),
    "success_by_row": Rule(
        "Success is what the row says, not what Batch says", "Settlement.settle", FALSE_SUCCESS
    ),
    "give_up_as_read": Rule(
        "Giving up is conditional on runner and heartbeat as they were read",
        "transitions.as_seen",
        OVERLAP,
    ),
    "give_up_own_ended": Rule(
        "An execution is given up only when its own Batch job is over",
        "Settlement.settle",
        OVERLAP,
        start="twins",
    ),
    "give_up_stale": Rule(
        "An execution is given up only when its heartbeat is stale", "Settlement.settle", OVERLAP
    ),
    "runner_reread": Rule(
        "A worker that can't record the runner in the marker reads the marker again",
        "Settlement.settle",
        LOST,
        start="about to record",
    ),
    "refusal_spares_runner": Rule(
        "A submission that is refused gives up no execution that is registered",
        "Settlement.give_up",
        OVERLAP,
        start="about to submit",
    ),
    "refusal_goes_on": Rule(
        "Where giving up after a refusal finds the row changed, the row decides what follows",
        "Settlement.give_up",
        KEPT,
        2,
    ),
    "cancel_keeps_runner": Rule(
        "A cancel keeps the runner, and a retry is refused while it lives",
        "transitions.cancel, retry",
        OVERLAP,
        0,
        1,
    ),
    "free_if_lost": Rule(
        "A retry is free where nothing ever registered, or AWS took the machine",
        "retries.grants_free_retry",
        UNDESERVED,
        free=1,
    ),
    "decide_by_clearing": Rule(
        "Who clears the marker decides whether the attempt is given back",
        "reprieve.decide",
        TWICE,
        free=2,
        attempts=3,
        start="told to end",
    ),
    "give_back_if_taken": Rule(
        "An attempt is given back only if AWS took the machine",
        "reprieve.decide",
        UNDESERVED,
        free=1,
    ),
    "give_back_as_read": Rule(
        "An attempt is given back on condition of epoch, attempts, and nothing handed over",
        "transitions.refund",
        LATE,
        free=1,
        attempts=3,
        start="told to end",
    ),
    "row_before_repeating": Rule(
        "The row is read before a submission is repeated",
        "Entry._take_try",
        RESUBMITTED,
        deletions=1,
    ),
    "mark_before_deleting": Rule(
        "The marker is marked before its job's row is deleted",
        "AwsBatch.to_be_deleted",
        LEFT,
        0,
        deletions=1,
    ),
    "terminate_unwanted": Rule(
        "A marked marker is cleared once its Batch job is over",
        "cancelled.ended_after_cancel",
        LEFT,
        0,
        deletions=1,
    ),
}
