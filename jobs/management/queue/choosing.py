"""Which jobs an action is for: ids, or the conditions that the admin's filter has."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs.management.arguments import duration, text
from jobs.management.queue.console import WRONG_USAGE, Options, Stop
from jobs.operator.bulk import Selection
from jobs.operator.filters import BadFilter, Filter
from jobs.states import State

#: By the filter's field: the options, what is added to the parser, and its help.
CONDITIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "state": (("--state",), {"choices": State.values}),
    "queue": (("--queue",), {"type": text, "metavar": "Q"}),
    "name": (
        ("--name",),
        {"type": text, "metavar": "N", "help": "part of the name, in any case"},
    ),
    "failed_within": (
        ("--since", "--failed-within"),
        {"type": duration, "metavar": "DURATION", "help": "failed for good in the last 2h, 7d, …"},
    ),
    "waiting_longer_than": (
        ("--waiting-longer-than",),
        {"type": duration, "metavar": "DURATION", "help": "due and not begun for 30m, 2h, …"},
    ),
    "worker": (
        ("--worker",),
        {"type": text, "metavar": "NAME", "help": "jobs that this worker has locked"},
    ),
    "unique_key": (("--unique-key",), {"type": text, "metavar": "KEY"}),
    "text": (
        ("--text",),
        {
            "type": text,
            "metavar": "T",
            "help": "part of name, queue, worker, unique key, error or payload, in any case",
        },
    ),
    "error": (
        ("--error",),
        {"type": text, "metavar": "KEY", "help": "a group of failed jobs: see `jobs errors`"},
    ),
}


def take_conditions(parser: ArgumentParser, *but: str, states: Any = State.values) -> None:
    """Adds the options of a filter, without those of the fields that are named."""
    for field, (options, settings) in CONDITIONS.items():
        if field in but:
            continue
        given = {**settings, "choices": [str(state) for state in states]}
        parser.add_argument(
            *options, dest=field, default=None, **(given if field == "state" else settings)
        )


def take_ids_or_conditions(parser: ArgumentParser, *but: str, states: Any = State.values) -> None:
    parser.add_argument("ids", nargs="*", default=[], metavar="ID")
    take_conditions(parser, *but, states=states)


def filter_of(options: Options) -> Filter:
    """Raises Stop if the conditions can't be understood, or if no job can meet them."""
    given = {field: options.get(field) for field in CONDITIONS}
    if options.get("failed"):
        if given["state"] is not None:
            raise Stop("Say --failed or --state, and not both.", WRONG_USAGE)
        given["state"] = State.FAILED.value
    try:
        return Filter(**given)
    except BadFilter as error:
        raise Stop(str(error), WRONG_USAGE) from None


def chosen(options: Options) -> Selection:
    """The jobs that are named, or those that meet the conditions.

    Raises Stop unless it is either of the two.
    """
    found, ids = filter_of(options), list(dict.fromkeys(options["ids"]))
    if ids and found != Filter():
        raise Stop("Say which jobs by their ids or by conditions, and not by both.", WRONG_USAGE)
    if not ids and found == Filter():
        raise Stop(
            "Say which jobs: their ids, or conditions such as --queue (see --help).", WRONG_USAGE
        )
    return Selection(found, ids or None)
