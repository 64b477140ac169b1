"""`jobs workers`: who works, and whether a worker is alive."""

from __future__ import annotations

from typing import Any

from jobs.management.queue.console import DONE, REFUSED, Console, Options
from jobs.management.terminal import RED, moment
from jobs.models import WorkerRecord
from jobs.operator import monitoring
from jobs.operator.monitoring import Sign
from jobs.operator.reports import age, plain
from jobs.store import store_for

TITLES = ("NAME", "HOST", "PID", "QUEUES", "IN HAND", "STARTED", "LAST SEEN", "VERSION", "")
PAINT = {"": {"SILENT": RED}}


def workers(console: Console, options: Options) -> int:
    if options["check"] is not None:
        return _check(console, options)
    found = monitoring.workers()
    if options["json"]:
        return console.say_json([_plain(sign) for sign in found])
    if not found:
        return console.say("No worker is running.")
    return console.say_table([TITLES, *(_row(sign) for sign in found)], PAINT)


def _check(console: Console, options: Options) -> int:
    limit = options["max_silence"]
    seconds = None if limit is None else limit.total_seconds()
    try:
        sign = monitoring.check_worker(options["check"] or None, seconds)
    except monitoring.Silent as silent:
        if options["json"]:
            return console.say_json({"ok": False, "problem": str(silent)}) or REFUSED
        return console.complain(silent)
    except Exception as error:
        if not store_for(WorkerRecord).is_unavailable(error):
            raise
        # A worker waits for the database. To end it for that wouldn't help.
        return console.complain("The database can't be reached, so nobody can tell.", DONE)
    if options["json"]:
        return console.say_json({"ok": True, **_plain(sign)})
    return console.say(f"{sign.record.name} gave a sign of life {age(sign.silent_for)} ago.")


def _plain(sign: Sign) -> dict[str, Any]:
    row = sign.record
    return {
        "name": row.name,
        "host": row.host,
        "pid": row.pid,
        "queues": row.queues.split(",") if row.queues else [],
        "slots": row.slots,
        "in_hand": row.in_hand,
        "batch": row.hands_over,
        "version": row.version,
        "started_at": plain(row.started_at),
        "seen_at": plain(row.seen_at),
        "silent_for": round(sign.silent_for, 3),
        "alive": sign.is_alive,
    }


def _row(sign: Sign) -> tuple[str, ...]:
    row = sign.record
    return (
        row.name,
        row.host,
        str(row.pid),
        row.queues or "all",
        f"{row.in_hand} of {row.slots}",
        moment(row.started_at),
        f"{age(sign.silent_for)} ago",
        row.version,
        "" if sign.is_alive else "SILENT",
    )
