"""`jobs sign`: shows what is about to be signed, asks, and signs what it has shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from jobs.management.queue.changing import Attempts
from jobs.management.queue.console import Console, Options, counted
from jobs.operator import actions, reports, signing
from jobs.operator.signing import Seen

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Jobs that one question is about, at most: of each, a few hundred bytes are kept.
AT_ONCE = 10_000


def sign(console: Console, options: Options) -> int:
    attempts, unknown = Attempts(console), 0

    def leave_out() -> None:
        nonlocal unknown
        unknown += 1

    every = signing.to_be_signed(leave_out=leave_out)
    jobs = every if options["all"] else _named(attempts, options["ids"])
    rest = "Nothing was changed."
    while group := list(islice(_shown(console, jobs, options), AT_ONCE)):
        if options["all"] and not options["json"]:
            _say_calls(console, group)
        text = "Workers will load and perform what they say."
        console.ask(f"Sign {counted(len(group))}? {text}", options, otherwise=rest)
        for seen in group:
            attempts.make(str(seen.pk), signing.sign, seen)
        rest = "The others were not changed."
    if unknown and not options["json"]:
        console.say(
            f"{counted(unknown)} of an unknown key, or changed since: left alone. Make the "
            "old key known again (SIGNING_KEYS, SECRET_KEY_FALLBACKS), or look at them with "
            "`jobs show ID` and name their ids."
        )
    return attempts.report("signed", options)


def _named(attempts: Attempts, ids: Iterable[str]) -> Iterator[AbstractJob]:
    for pk in dict.fromkeys(ids):
        if (job := attempts.make(pk, actions.find, pk, counts=False)) is not None:
            yield job


def _shown(console: Console, jobs: Iterable[AbstractJob], options: Options) -> Iterator[Seen]:
    """Each job as it is shown: what it calls, and its handler if that was asked for.

    Those of `--all` are shown together, by what they call.
    """
    whole = options["full"] or len(options["ids"]) == 1
    for job in jobs:
        seen = Seen.of(job)
        if not options["json"] and (whole or not options["all"]):
            console.say(f"{seen.pk}  {seen.calls}  ({seen.length:,} characters)")
            if whole:
                console.say(reports.payload_text(job, whole=True))
        yield seen


def _say_calls(console: Console, group: list[Seen]) -> None:
    for calls, number in Counter(seen.calls for seen in group).most_common():
        longest = max(seen.length for seen in group if seen.calls == calls)
        console.say(f"{counted(number)}: {calls}  (up to {longest:,} characters)")
    console.say("With --full you see each handler; `jobs show ID` shows one.")
