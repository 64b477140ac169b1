"""The actions that change jobs: retry, cancel and unlock; clear and prune, which delete
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.management.queue.choosing import chosen, filter_of
from jobs.management.queue.console import DONE, NO_SUCH_JOB, REFUSED, Console, Options, counted
from jobs.models import Job
from jobs.operator import actions, bulk, elsewhere
from jobs.operator.bulk import Action, Outcome, Selection
from jobs.operator.filters import Filter
from jobs.states import FINISHED, State
from jobs.store import store_for
from jobs.transitions import IN_EXECUTION

if TYPE_CHECKING:
    from jobs.models import AbstractJob

T = TypeVar("T")
#: Jobs of a state that are counted at most before somebody is asked.
COUNTED = 1_000_000


def retry(console: Console, options: Options) -> int:
    return _change(console, options, bulk.retry(), actions.retry)


def cancel(console: Console, options: Options) -> int:
    return _change(console, options, bulk.cancel(), actions.cancel)


def unlock(console: Console, options: Options) -> int:
    # Scripts have always done these unasked.
    unattended = filter_of(options) == Filter(worker=options["worker"])
    return _change(console, options, bulk.unlock(), actions.unlock, unattended=unattended)


def clear(console: Console, options: Options) -> int:
    jobs = Selection(filter_of(options))
    named = set(jobs.filter.states) & set(IN_EXECUTION)
    action = bulk.delete(being_executed=bool(named))
    if named:
        _warn_of_executions(console, jobs)
    if not options["dry_run"]:
        jobs = _agreed(console, jobs, action, options)
    return _say_cleared(console, bulk.perform(action, jobs, dry_run=options["dry_run"]), options)


def _say_cleared(console: Console, outcome: Outcome, options: Options) -> int:
    left, dry = outcome.refused.total(), options["dry_run"]
    if options["json"]:
        told = {"deleted": outcome.done, "left": left + outcome.changed}
        return console.say_json({**told, "dry_run": True} if dry else told)
    console.report("deleted", outcome.done, None, options)
    if left:
        console.say(
            f"{counted(left)} left, because they are being executed: "
            "name them with --state running or detached."
        )
    if outcome.changed:
        console.say(f"{counted(outcome.changed)} left, because they changed meanwhile.")
    return DONE


def prune(console: Console, options: Options) -> int:
    states = [options["state"]] if options["state"] else FINISHED
    which = options["older_than"], states, Job, filter_of(options)
    at = store_for(Job).now()  # so that those are deleted that were asked about
    if options["dry_run"] or not options["yes"]:
        counts = actions.to_prune(*which, at=at, most=COUNTED)
        if options["dry_run"]:
            return console.report("deleted", sum(counts.values()), None, options)
        if any(counts.values()):
            # Nightly scripts have always done this unasked.
            console.ask(_question(bulk.delete(), counts), options, unattended=True)
    return console.report("deleted", actions.prune(*which, at=at), None, options)


def _change(
    console: Console,
    options: Options,
    action: Action,
    each: Callable[..., Any],
    *,
    unattended: bool = False,
) -> int:
    """Does it to the jobs that are named, or to all that meet the conditions; asks
    before something is lost.
    """
    jobs = chosen(options)
    if jobs.ids is not None:
        if options["dry_run"]:
            each = partial(_require_suiting, action)
        elif action.destroys:
            seen_at = store_for(Job).now()
            question = f"{action.verb} {counted(len(jobs.ids))}?"
            if console.ask(question, options, unattended=unattended):
                each = partial(each, seen_at=seen_at)
        return _each(console, action.done, each, jobs.ids, options)
    if action.destroys and not options["dry_run"]:
        jobs = _agreed(console, jobs, action, options, unattended=unattended)
    outcome = bulk.perform(action, jobs, dry_run=options["dry_run"])
    return _report(console, action, outcome, options)


def _agreed(
    console: Console,
    jobs: Selection,
    action: Action,
    options: Options,
    *,
    unattended: bool = False,
) -> Selection:
    """Those of the jobs that somebody has agreed to. Raises Stop if nobody does."""
    if options["yes"]:
        return jobs
    seen = replace(jobs, seen_at=store_for(Job).now())
    counts = seen.count_by_state(COUNTED)
    if suiting := {state: counts[state] for state in counts if state in action.states}:
        console.ask(_question(action, suiting), options, unattended=unattended)
    return seen


def _require_suiting(action: Action, job: AbstractJob) -> None:
    if job.state not in action.states:
        raise actions.Refused(f"Job {job.pk} is {job.state}, so it would not be {action.done}.")


def _report(console: Console, action: Action, outcome: Outcome, options: Options) -> int:
    """What came of it, and of the jobs that were left alone how many and why."""
    reasons = {f"they are {state}": number for state, number in outcome.refused.items()}
    if outcome.changed:
        reasons["they changed meanwhile, or are still being executed"] = outcome.changed
    if options["json"]:
        refused = [{"jobs": number, "reason": reason} for reason, number in reasons.items()]
        return console.report(action.done, outcome.done, refused, options)
    console.report(action.done, outcome.done, None, options)
    for reason, number in reasons.items():
        console.say(f"{counted(number)} left alone, because {reason}.")
    return DONE


class Attempts:
    """An operation for each of several jobs; a refusal stops no other."""

    def __init__(self, console: Console):
        self._console = console
        self._number = 0
        self._status = DONE
        self._refused: list[dict[str, Any]] = []

    def make(
        self, pk: str, operation: Callable[..., T], *arguments: Any, counts: bool = True
    ) -> T | None:
        """What the operation returns; None if it is refused, which is told."""
        try:
            result = operation(*arguments)
        except (actions.Refused, actions.NoSuchJob) as error:
            status = NO_SUCH_JOB if isinstance(error, actions.NoSuchJob) else REFUSED
            self._status = max(self._status, status)
            self._console.complain(error)
            self._refused.append({"id": pk, "reason": str(error)})
            return None
        self._number += counts
        return result

    def report(self, done: str, options: Options) -> int:
        self._console.report(done, self._number, self._refused, options)
        return self._status


def _each(
    console: Console,
    done: str,
    operation: Callable[[AbstractJob], Any],
    ids: Any,
    options: Options,
) -> int:
    attempts = Attempts(console)
    for pk in ids:
        attempts.make(pk, lambda pk: operation(actions.find(pk)), pk)
    return attempts.report(done, options)


def _warn_of_executions(console: Console, jobs: Selection) -> None:
    if number := jobs.executed_elsewhere(COUNTED):
        console.complain(
            f"{counted(number)} of these may be executed in {elsewhere.names()} now: once the "
            "rows are deleted, a worker ends what runs there, and nothing records its outcome."
        )


def _question(action: Action, counts: Mapping[str, int]) -> str:
    """`Delete 3 jobs (2 failed, 1 ready)?`, in a job's order of life."""
    parts = [
        f"{counts[state]:,}{'+' * (counts[state] == COUNTED)} {state}"
        for state in State.values
        if counts.get(state)
    ]
    number = sum(counts.values())
    most = number if COUNTED in counts.values() else None
    return f"{action.verb} {counted(number, most)} ({', '.join(parts)})?"
