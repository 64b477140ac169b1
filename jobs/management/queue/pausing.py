"""`jobs pause` and `jobs resume`."""

from __future__ import annotations

from jobs.management.queue.console import REFUSED, Console, Options
from jobs.operator import pausing


def pause(console: Console, options: Options) -> int:
    what = _what(options)
    try:
        changed = pausing.pause(**what, reason=options["reason"])
    except ValueError as error:
        return console.complain(error)
    if doubt := pausing.doubt(**what):
        console.complain(doubt)
    if options["json"]:
        return console.say_json({"paused": changed})
    said = "is paused. Workers hear of it within five seconds" if changed else "was paused already"
    return console.say(f"{_named(what)} {said}.")


def resume(console: Console, options: Options) -> int:
    what = _what(options)
    try:
        changed = pausing.resume(**what)
    except ValueError as error:
        return console.complain(error)
    if options["json"]:
        console.say_json({"resumed": changed})
    elif changed:
        console.say(f"{_named(what)} goes on within five seconds.")
    else:
        console.complain(f"{_named(what)} is not paused.")
    return 0 if changed else REFUSED


def _what(options: Options) -> dict[str, str]:
    return {"name": options["name"]} if options["queue"] is None else {"queue": options["queue"]}


def _named(what: dict[str, str]) -> str:
    [(kind, value)] = what.items()
    return f"The {'queue' if kind == 'queue' else 'job'} {value}"
