"""`jobs sign`: shows what is about to be signed, asks, and signs what it has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.management.queue.changing import each
from jobs.management.queue.console import Console, Options, counted
from jobs.operator import actions, reports

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Handlers shown before they are signed.
MOST_SHOWN = 50
LONGEST_LINE = 300


def sign(console: Console, options: Options) -> int:
    if options["all"]:
        chosen = list(actions.to_be_signed())
    else:
        chosen = [job for pk in options["ids"] if (job := _found(pk)) is not None]
    if chosen and not options["json"]:
        for job in chosen[:MOST_SHOWN]:
            console.say(f"{job.pk}  {_one_line(reports.payload_text(job))}")
        if len(chosen) > MOST_SHOWN:
            console.say(f"… and {len(chosen) - MOST_SHOWN:,} more")
    if chosen:
        text = "Workers will load and perform what they say."
        console.ask(f"Sign {counted(len(chosen))}? {text}", options)
    as_shown = {str(job.pk): job for job in chosen}
    ids = list(as_shown) if options["all"] else options["ids"]

    def sign(found: AbstractJob) -> None:
        actions.sign(as_shown.get(str(found.pk), found))

    return each(console, "signed", sign, {**options, "ids": ids})


def _found(pk: str) -> AbstractJob | None:
    try:
        return actions.find(pk)
    except actions.NoSuchJob:
        return None  # named when it is its turn


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
