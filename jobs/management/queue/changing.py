"""The actions that change jobs: retry, cancel and unlock; clear and prune, which delete
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.management.queue.console import DONE, NO_SUCH_JOB, REFUSED, Console, Options, counted
from jobs.operator import actions, elsewhere, reports
from jobs.states import FINISHED

if TYPE_CHECKING:
    from jobs.models import AbstractJob


def retry(console: Console, options: Options) -> int:
    if options["failed"]:
        return console.report("retried", actions.retry_failed(), [], options)
    return each(console, "retried", actions.retry, options)


def cancel(console: Console, options: Options) -> int:
    console.ask(f"Cancel {counted(len(options['ids']))}?", options)
    return each(console, "cancelled", actions.cancel, options)


def unlock(console: Console, options: Options) -> int:
    if options["worker"] is not None:
        return console.report("unlocked", actions.unlock_worker(options["worker"]), [], options)
    return each(console, "unlocked", actions.unlock, options)


def clear(console: Console, options: Options) -> int:
    state, queue = options["state"], options["queue"]
    there = _counts_by_state(queue)
    chosen = {name: there[name] for name in ([state] if state else actions.clearable())}
    deleted = 0
    if number := sum(chosen.values()):
        parts = ", ".join(f"{count:,} {name}" for name, count in chosen.items() if count)
        _warn_of_executions(console, actions.executed_elsewhere(state, queue))
        console.ask(f"Delete {counted(number)} ({parts})?", options)
        deleted = actions.clear(state, queue)
    left = 0 if state else sum(there[name] for name in actions.BEING_EXECUTED)
    if options["json"]:
        return console.say_json({"deleted": deleted, "left": left})
    console.say(f"{counted(deleted)} deleted.")
    if left:
        console.say(
            f"{counted(left)} left, because they are being executed: "
            "name them with --state running or detached."
        )
    return DONE


def prune(console: Console, options: Options) -> int:
    states = [options["state"]] if options["state"] else FINISHED
    return console.report("deleted", actions.prune(options["older_than"], states), None, options)


def each(
    console: Console, done: str, operation: Callable[[AbstractJob], Any], options: Options
) -> int:
    """The operation for each of the `ids`; a refusal stops no other."""
    refused, status, number = [], DONE, 0
    for pk in dict.fromkeys(options["ids"]):
        try:
            operation(actions.find(pk))
            number += 1
        except (actions.Refused, actions.NoSuchJob) as error:
            status = max(status, NO_SUCH_JOB if isinstance(error, actions.NoSuchJob) else REFUSED)
            console.complain(error)
            refused.append({"id": pk, "reason": str(error)})
    console.report(done, number, refused, options)
    return status


def _warn_of_executions(console: Console, number: int) -> None:
    if number:
        console.complain(
            f"{counted(number)} of these may be executed in {elsewhere.names()} now: once the "
            "rows are deleted, a worker has that ended there, and nothing records an outcome."
        )


def _counts_by_state(queue: str | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in reports.counts():
        if queue is None or row["queue"] == queue:
            counts[row["state"]] += row["count"]
    return counts
