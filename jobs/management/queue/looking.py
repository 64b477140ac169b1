"""The actions that show jobs and change nothing: list, show, check and stats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.management.queue.choosing import filter_of
from jobs.management.queue.console import DONE, REFUSED, Console, Options, counted
from jobs.management.terminal import BLUE, CYAN, DIM, GREEN, RED, YELLOW, moment
from jobs.operator import actions, checks, elsewhere, monitoring, reports
from jobs.states import State
from jobs.text import first_line, one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

TITLES = (
    "ID",
    "STATE",
    "QUEUE",
    "PRIORITY",
    "ATTEMPTS",
    "RUN AT",
    "LOCKED BY",
    "NAME",
    "ERROR",
)
PAINT = {
    "STATE": {
        State.SCHEDULED.value: BLUE,
        State.RUNNING.value: CYAN,
        State.DETACHED.value: YELLOW,
        State.SUCCEEDED.value: GREEN,
        State.FAILED.value: RED,
        State.CANCELLED.value: DIM,
    }
}
#: Characters of an error in a list.
LONGEST_ERROR = 60


def list_jobs(console: Console, options: Options) -> int:
    most = options["limit"]
    found = reports.listed(filter_of(options), most + 1)
    jobs, more = found[:most], len(found) > most
    if options["json"]:
        return console.say_json([reports.as_dict(job) for job in jobs])
    if not jobs:
        return console.say("No jobs.")
    console.say_table([TITLES, *(_row(job) for job in jobs)], PAINT)
    return console.say(f"… and more: --limit is {most}.") if more else DONE


def show(console: Console, options: Options) -> int:
    job = actions.find(options["id"])
    shown = reports.as_dict(job, full=True)
    executions, failures = elsewhere.executions(job), monitoring.attempts(job)
    progress = monitoring.progress_of([job]).get(job.pk)
    if options["json"]:
        told = None if progress is None else reports.progress_as_dict(progress)
        failed = [reports.attempt_as_dict(one.attempt) for one in failures]
        return console.say_json(
            {**shown, "progress": told, "attempts_failed": failed, "executions": executions}
        )
    short = {
        key: value for key, value in shown.items() if key not in (*reports.LONG, "payload", "error")
    }
    width = max(map(len, short))
    for key, value in short.items():
        shown_value = "-" if value is None or value == "" else one_line(value)
        console.say(f"{key:{width}}  {shown_value}")
    if progress is not None:
        console.say(f"{'progress':{width}}  {reports.progress_text(progress)}")
    console.say(f"\npayload\n{reports.payload_text(job)}")
    if not shown["signature_valid"]:
        console.say(
            "\nIts signature doesn't hold, so it is never loaded. If you know who wrote "
            f"it and why: jobs sign {job.pk}"
        )
    for execution in executions:
        console.say(f"\nexecution in {execution.pop('place', elsewhere.names())}")
        for key, value in execution.items():
            if value not in (None, ""):
                console.say(f"  {key.replace('_', ' ')}: {one_line(value)}")
    for failure in failures:
        one = failure.attempt
        when = moment(one.failed_at)
        console.say(f"\nattempt {one.number}, {when}, {one.runner or one.worker}\n  {one.summary}")
    if returned := reports.return_value_text(job):
        console.say(f"\nreturn value\n{returned}")
    return console.say(f"\nlast error\n{job.last_error}") if job.last_error else DONE


def check(console: Console, options: Options) -> int:
    found = checks.check(options["max_age"].total_seconds())
    if options["json"]:
        console.say_json({"ok": not found.problems, **vars(found)})
    else:
        if not found.problems:
            console.say("Jobs are taken in time.")
        _say_paused(console, found.paused)
        for problem in found.problems:
            console.complain(problem)
    return REFUSED if found.problems else DONE


def stats(console: Console, options: Options) -> int:
    found = reports.stats()
    if options["json"]:
        return console.say_json(found)
    if found["counts"]:
        most = found["counted_up_to"]
        rows = [
            (row["state"], row["queue"], f"{row['count']:,}{'+' * (row['count'] == most)}")
            for row in found["counts"]
        ]
        console.say_table([("STATE", "QUEUE", "JOBS"), *rows], PAINT)
        console.say("")
    console.say(f"{counted(found['total'])}, {found['detached']:,} of them detached.")
    _say_paused(console, found["paused"])
    oldest = found["oldest_due_seconds"]
    if oldest is None:
        return console.say("No other job is due." if found["paused"] else "No job is due.")
    return console.say(f"The oldest job that is due has waited for {oldest:.0f} seconds.")


def _say_paused(console: Console, paused: list[dict[str, Any]]) -> None:
    for one in paused:
        reason = f": {one['reason']}" if one["reason"] else ""
        what = f"The {'queue' if one['kind'] == 'queue' else 'job'} {one['value']}"
        console.say(one_line(f"{what} is paused since {one['since']}{reason}"))


def _row(job: AbstractJob) -> tuple[str, ...]:
    return (
        str(job.pk),
        job.state,
        job.queue,
        str(job.priority),
        str(job.attempts),
        moment(job.run_at),
        job.locked_by,
        job.name,
        first_line(job.last_error)[:LONGEST_ERROR],
    )
