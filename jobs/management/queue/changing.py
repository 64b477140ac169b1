"""The actions that change jobs: retry, cancel and unlock; clear and prune, which delete
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.management.queue.console import DONE, NO_SUCH_JOB, REFUSED, Console, Options, counted
from jobs.operator import actions, elsewhere, reports
from jobs.states import FINISHED

if TYPE_CHECKING:
    from jobs.models import AbstractJob

T = TypeVar("T")


def retry(console: Console, options: Options) -> int:
    if options["failed"]:
        return console.report("retried", actions.retry_failed(), [], options)
    return _each(console, "retried", actions.retry, options)


def cancel(console: Console, options: Options) -> int:
    console.ask(f"Cancel {counted(len(options['ids']))}?", options)
    return _each(console, "cancelled", actions.cancel, options)


def unlock(console: Console, options: Options) -> int:
    if options["worker"] is not None:
        return console.report("unlocked", actions.unlock_worker(options["worker"]), [], options)
    return _each(console, "unlocked", actions.unlock, options)


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


class Attempts:
    """An operation for each of several jobs; a refusal stops no other."""

    def __init__(self, console: Console):
        self._console = console
        self._number = 0
        self._status = DONE
        self._refused: list[dict[str, str]] = []

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
    console: Console, done: str, operation: Callable[[AbstractJob], Any], options: Options
) -> int:
    attempts = Attempts(console)
    for pk in dict.fromkeys(options["ids"]):
        attempts.make(pk, lambda pk: operation(actions.find(pk)), pk)
    return attempts.report(done, options)


def _warn_of_executions(console: Console, number: int) -> None:
    if number:
        console.complain(
            f"{counted(number)} of these may be executed in {elsewhere.names()} now: once the "
            "rows are deleted, a worker ends what runs there, and nothing records its outcome."
        )


def _counts_by_state(queue: str | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in reports.counts():
        if queue is None or row["queue"] == queue:
            counts[row["state"]] += row["count"]
    return counts
