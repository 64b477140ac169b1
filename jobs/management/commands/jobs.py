"""Shows and changes the jobs of the queue."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from jobs.management.arguments import duration, limit, text
from jobs.management.terminal import printable, table
from jobs.models import FINISHED, State
from jobs.operator import actions, reports
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

DONE, REFUSED, NO_SUCH_JOB = 0, 1, 4
#: Handlers shown before they are signed.
MOST_SHOWN = 50
LONGEST_LINE = 300


class Stop(Exception):
    """Ends the command with this message on stderr and REFUSED as its exit status."""


class Command(BaseCommand):
    help = (
        "Shows and changes the jobs of the queue. Exit status: 0 done, "
        "1 refused or failed (`check`: jobs wait too long), 2 wrong usage, 4 no such job."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")

        def add(name: str, action: Callable[..., int], help: str) -> ArgumentParser:
            added: ArgumentParser = commands.add_parser(name, help=help, description=help)
            added.add_argument("--json", action="store_true", help="print JSON")
            added.set_defaults(run=action)
            return added

        found = add("list", self._list, "Lists jobs, the youngest first.")
        found.add_argument("--state", choices=State.values)
        found.add_argument("--queue", type=text)
        found.add_argument("--name", type=text, help="part of the name, in any case")
        found.add_argument("--limit", type=limit, default=50, metavar="N", help="default: 50")

        found = add("show", self._show, "Shows all that is known of a job.")
        found.add_argument("id")

        found = add(
            "retry",
            self._retry,
            "Makes failed, cancelled or succeeded jobs ready again, with all their attempts.",
        )
        which = found.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", default=[], metavar="ID")
        which.add_argument("--failed", action="store_true", help="every failed job")

        found = add(
            "cancel", self._cancel, "Ends unfinished jobs; their rows are kept as cancelled."
        )
        found.add_argument("ids", nargs="+", metavar="ID")
        found.add_argument("--yes", action="store_true", help="don't ask")

        found = add(
            "unlock", self._unlock, "Lets go of jobs' locks, as if their leases had expired."
        )
        which = found.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", default=[], metavar="ID")
        which.add_argument(
            "--worker", type=text, metavar="NAME", help="every job that this worker has locked"
        )

        found = add(
            "sign",
            self._sign,
            "Signs jobs that you restored or wrote by hand, so that workers load them.",
        )
        which = found.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", default=[], metavar="ID")
        which.add_argument(
            "--all",
            action="store_true",
            help="every job that has no signature at all, or one of an older key",
        )
        found.add_argument("--yes", action="store_true", help="don't ask")

        found = add(
            "clear",
            self._clear,
            "Deletes jobs; running and detached ones only where --state names theirs.",
        )
        found.add_argument("--state", choices=State.values)
        found.add_argument("--queue", type=text)
        found.add_argument("--yes", action="store_true", help="don't ask")

        found = add("prune", self._prune, "Deletes jobs that ended a while ago.")
        found.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="DURATION",
            help="7d, 12h, 30m, 45s or seconds",
        )
        found.add_argument(
            "--state", choices=[str(state) for state in FINISHED], help="default: all three"
        )

        found = add(
            "check", self._check, "Exits 1 where jobs wait that no worker takes; for monitoring."
        )
        found.add_argument(
            "--max-age",
            type=duration,
            default=dt.timedelta(minutes=5),
            metavar="S",
            help="seconds; default: 300",
        )

        add("stats", self._stats, "Counts jobs by queue and state.")

    def handle(self, *args: Any, run: Callable[..., int], **options: Any) -> None:
        try:
            status = run(options)
            self.stdout.flush()
        except (Stop, actions.Refused) as error:
            status = self._complain(error)
        except actions.NoSuchJob as error:
            status = self._complain(error, NO_SUCH_JOB)
        except BrokenPipeError:  # whoever read has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        except Exception as error:
            if options["traceback"]:
                raise
            status = self._complain(f"{type(error).__name__}: {reports.first_line(str(error))}")
        if status:
            sys.exit(status)

    # Looking

    def _list(self, options: dict[str, Any]) -> int:
        most = options["limit"]
        found = reports.listed(options["state"], options["queue"], options["name"], most + 1)
        jobs, more = found[:most], len(found) > most
        if options["json"]:
            return self._say_json([reports.as_dict(job) for job in jobs])
        if not jobs:
            return self._say("No jobs.")
        titles = (
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
        self._say(table([titles, *(_row(job) for job in jobs)]))
        return self._say(f"… and more: --limit is {most}.") if more else DONE

    def _show(self, options: dict[str, Any]) -> int:
        job = actions.find(options["id"])
        shown = reports.as_dict(job, full=True)
        if options["json"]:
            return self._say_json(shown)
        short = {
            key: value
            for key, value in shown.items()
            if key not in (*reports.LONG, "payload", "error")
        }
        width = max(map(len, short))
        for key, value in short.items():
            shown_value = "-" if value is None or value == "" else one_line(value)
            self._say(f"{key:{width}}  {shown_value}")
        self._say(f"\npayload\n{reports.payload_text(job)}")
        if not shown["signature_valid"]:
            self._say(
                "\nIts signature doesn't hold, so it is never loaded. If you know who wrote "
                f"it and why: jobs sign {job.pk}"
            )
        return self._say(f"\nlast error\n{job.last_error}") if job.last_error else DONE

    def _check(self, options: dict[str, Any]) -> int:
        found = reports.check(options["max_age"].total_seconds())
        if options["json"]:
            self._say_json({"ok": not found.problems, **vars(found)})
        elif not found.problems:
            self._say("Jobs are taken in time.")
        else:
            for problem in found.problems:
                self._complain(problem)
        return REFUSED if found.problems else DONE

    def _stats(self, options: dict[str, Any]) -> int:
        found = reports.stats()
        if options["json"]:
            return self._say_json(found)
        if found["counts"]:
            most = found["counted_up_to"]
            rows = [
                (row["state"], row["queue"], f"{row['count']:,}{'+' * (row['count'] == most)}")
                for row in found["counts"]
            ]
            self._say(table([("STATE", "QUEUE", "JOBS"), *rows]) + "\n")
        self._say(f"{_jobs(found['total'])}, {found['detached']:,} of them detached.")
        oldest = found["oldest_due_seconds"]
        if oldest is None:
            return self._say("No job is due.")
        return self._say(f"The oldest job that is due has waited for {oldest:.0f} seconds.")

    # Changing

    def _retry(self, options: dict[str, Any]) -> int:
        if options["failed"]:
            return self._report("retried", actions.retry_failed(), [], options)
        return self._each("retried", actions.retry, options)

    def _cancel(self, options: dict[str, Any]) -> int:
        number = len(options["ids"])
        self._ask(f"Cancel {_jobs(number)}?", options)
        return self._each("cancelled", actions.cancel, options)

    def _unlock(self, options: dict[str, Any]) -> int:
        if options["worker"] is not None:
            return self._report("unlocked", actions.unlock_worker(options["worker"]), [], options)
        return self._each("unlocked", actions.unlock, options)

    def _sign(self, options: dict[str, Any]) -> int:
        if options["all"]:
            chosen = list(actions.to_be_signed())
        else:
            chosen = [job for pk in options["ids"] if (job := _found(pk)) is not None]
        if chosen and not options["json"]:
            for job in chosen[:MOST_SHOWN]:
                self._say(f"{job.pk}  {_one_line(reports.payload_text(job))}")
            if len(chosen) > MOST_SHOWN:
                self._say(f"… and {len(chosen) - MOST_SHOWN:,} more")
        if chosen:
            text = "Workers will load and perform what they say."
            self._ask(f"Sign {_jobs(len(chosen))}? {text}", options)
        as_shown = {str(job.pk): job for job in chosen}
        ids = list(as_shown) if options["all"] else options["ids"]

        def sign(found: AbstractJob) -> None:
            actions.sign(as_shown.get(str(found.pk), found))

        return self._each("signed", sign, {**options, "ids": ids})

    def _clear(self, options: dict[str, Any]) -> int:
        state, queue = options["state"], options["queue"]
        there = _counts_by_state(queue)
        chosen = {name: there[name] for name in ([state] if state else actions.clearable())}
        deleted = 0
        if number := sum(chosen.values()):
            parts = ", ".join(f"{count:,} {name}" for name, count in chosen.items() if count)
            self._ask(f"Delete {_jobs(number)} ({parts})?", options)
            deleted = actions.clear(state, queue)
        left = 0 if state else sum(there[name] for name in actions.BEING_EXECUTED)
        if options["json"]:
            return self._say_json({"deleted": deleted, "left": left})
        self._say(f"{_jobs(deleted)} deleted.")
        if left:
            self._say(
                f"{_jobs(left)} left, because they are being executed: "
                "name them with --state running or detached."
            )
        return DONE

    def _prune(self, options: dict[str, Any]) -> int:
        states = [options["state"]] if options["state"] else FINISHED
        return self._report("deleted", actions.prune(options["older_than"], states), None, options)

    def _each(
        self, done: str, operation: Callable[[AbstractJob], Any], options: dict[str, Any]
    ) -> int:
        refused, status, number = [], DONE, 0
        for pk in dict.fromkeys(options["ids"]):
            try:
                operation(actions.find(pk))
                number += 1
            except (actions.Refused, actions.NoSuchJob) as error:
                status = max(
                    status, NO_SUCH_JOB if isinstance(error, actions.NoSuchJob) else REFUSED
                )
                self._complain(error)
                refused.append({"id": pk, "reason": str(error)})
        self._report(done, number, refused, options)
        return status

    # Talking

    def _report(
        self, done: str, number: int, refused: list[dict[str, str]] | None, options: dict[str, Any]
    ) -> int:
        if options["json"]:
            return self._say_json(
                {done: number} if refused is None else {done: number, "refused": refused}
            )
        return self._say(f"{_jobs(number)} {done}.") if number or not refused else DONE

    def _ask(self, question: str, options: dict[str, Any]) -> None:
        if options["yes"]:
            return
        if sys.stdin is None or not sys.stdin.isatty():
            raise Stop(f"{question} Nobody can be asked here: say --yes.")
        self.stderr.write(f"{question} [y/N]", lambda line: line, ending=" ")
        self.stderr.flush()
        try:
            answer = input()
        except (EOFError, KeyboardInterrupt):
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise Stop("Nothing was changed.")

    def _say(self, line: str) -> int:
        self.stdout.write(printable(line))
        return DONE

    def _say_json(self, value: Any) -> int:
        self.stdout.write(json.dumps(value))
        return DONE

    def _complain(self, error: Exception | str, status: int = REFUSED) -> int:
        self.stderr.write(printable(str(error)))
        return status


def _row(job: AbstractJob) -> tuple[str, ...]:
    run_at = job.run_at.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    error = reports.first_line(job.last_error)[:60]
    return (
        str(job.pk),
        job.state,
        job.queue,
        str(job.priority),
        str(job.attempts),
        run_at,
        job.locked_by,
        job.name,
        error,
    )


def _found(pk: str) -> AbstractJob | None:
    try:
        return actions.find(pk)
    except actions.NoSuchJob:
        return None  # named when it is its turn


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _counts_by_state(queue: str | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in reports.counts():
        if queue is None or row["queue"] == queue:
            counts[row["state"]] += row["count"]
    return counts


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"
