"""Enqueues a job from a shell or cron."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import math
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.dateparse import parse_datetime

from jobs.exceptions import DeserializationError
from jobs.management.arguments import duration, name, take_negatives
from jobs.management.failures import of_the_database
from jobs.management.output import OutputCommand
from jobs.management.terminal import printable
from jobs.payloads import Performable, import_dotted


class Command(OutputCommand):
    help = (
        "Enqueues a job: its class, or a task of django.tasks, by its dotted path, and its "
        "fields. Exit status: 0 enqueued, 1 refused, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="such as shop.jobs.SendInvoice")
        parser.add_argument(
            "fields",
            nargs="*",
            metavar="NAME=VALUE",
            help="VALUE is JSON; what is not, such as a word, is text",
        )
        take_negatives(parser)
        parser.add_argument("--queue", type=name)
        parser.add_argument("--priority", type=int, help="lower runs first; of a task, higher")
        due = parser.add_mutually_exclusive_group()
        due.add_argument("--run-at", metavar="TIME", help="such as 2026-12-01T08:00:00+01:00")
        due.add_argument("--in", dest="delay", type=duration, metavar="DURATION", help="such as 2h")
        parser.add_argument("--unique-key", type=name, help="not for a task")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, path: str, fields: list[str], **options: Any) -> None:
        given = _given(fields)
        run_at = _run_at(options["run_at"], options["delay"])
        wanted = _imported(path)
        chosen = {
            "queue": options["queue"],
            "priority": options["priority"],
            "run_at": run_at,
            "unique_key": options["unique_key"],
        }
        try:
            found = _enqueued(path, wanted, given, chosen)
        except (TypeError, ValueError) as error:
            raise CommandError(printable(f"{path} can't be enqueued: {error}")) from error
        except Exception as error:
            if known := of_the_database(error):
                raise CommandError(printable(known)) from error
            raise
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            held = " holds that unique key already" if found["already_enqueued"] else ""
            self.stdout.write(printable(f"Job {found['id']}{held}: {found['name']}"))


def _enqueued(path: str, wanted: Any, given: dict[str, Any], chosen: dict[str, Any]) -> Any:
    from jobs.enqueueing import enqueue

    if isinstance(wanted, type) and issubclass(wanted, Performable):
        job = enqueue(wanted(**given), **chosen)
        already = bool(job.already_enqueued)
        return {"id": str(job.pk), "name": job.name, "already_enqueued": already}
    if not inspect.isfunction(getattr(wanted, "func", None)):
        raise TypeError("it is neither a jobs.Performable nor a task.")
    if chosen["unique_key"] is not None:
        raise TypeError("a task has its unique key from @jobs.tasks.options.")
    said = {"queue_name": chosen["queue"], "priority": chosen["priority"]}
    try:
        result = wanted.using(**said, run_after=chosen["run_at"]).enqueue(**given)
    except Exception as error:
        if type(error).__name__.startswith("InvalidTask"):
            raise ValueError(str(error)) from error
        raise
    return {"id": str(result.id), "name": result.task.module_path, "already_enqueued": False}


def _imported(path: str) -> Any:
    try:
        return import_dotted(path)
    except DeserializationError as error:
        raise CommandError(printable(str(error))) from error


def _given(fields: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields:
        field, equals, value = one.partition("=")
        if not equals or not field.isidentifier():
            raise CommandError(printable(f"{one!r} is not NAME=VALUE."))
        if field in found:
            raise CommandError(printable(f"{field} is given twice: which value do you mean?"))
        try:
            found[field] = json.loads(value, parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError):
            found[field] = value
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number of JSON.")
    return number


def _run_at(given: str | None, delay: dt.timedelta | None) -> dt.datetime | None:
    from django.utils import timezone

    if delay is not None:
        return timezone.now() + delay
    if given is None:
        return None
    try:
        found = parse_datetime(given)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{given!r} is not a time such as 2026-12-01T08:00:00+01:00.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
