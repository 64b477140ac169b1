"""`manage.py batchjobs`: the jobs in AWS Batch, and whether their markers agree."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from batchexec import markers
from batchexec.aws.errors import NotConfigured
from batchexec.aws.failures import essence, log_stream
from batchexec.executions import (
    as_dict,
    is_unconfirmed,
    remark_on,
    standing,
    state_of_job,
    traces,
)
from batchexec.models import BatchExecutionRecord, BatchJob
from batchexec.process.traces import complete
from batchexec.upkeep.findings import Finding
from batchexec.upkeep.reconciler import reconcile
from jobs.management.failures import of_the_database
from jobs.management.output import OutputCommand
from jobs.management.terminal import printable, table
from jobs.models import Job

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient

NOT_MENDED, NO_SUCH_MARKER = 1, 4
#: For how many seconds Batch jobs that are to end are waited for, and the pause between
#: two looks.
PATIENCE, PAUSE = 60.0, 1.0
#: Rows of jobs that are read at once.
AT_ONCE = 1000
COLUMNS = (
    "job_id",
    "job_state",
    "epoch",
    "batch_job_id",
    "state",
    "status",
    "job_queue",
    "submitted_at",
    "status_reason",
)
SHOWN_OF_FINDING = ("kind", "job_id", "batch_job_id", "explanation", "remedy")


class Command(OutputCommand):
    help = (
        "Shows the jobs in AWS Batch, and compares them with their markers. "
        "Exit status: 0 all is well, 1 something is left to repair, 4 neither a marker nor "
        "a past execution."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        listing = commands.add_parser("list", help="every job in AWS Batch, as last seen")
        show = commands.add_parser(
            "show", help="one job and its past executions, with what AWS Batch says now"
        )
        show.add_argument("id", help="the job's id, or the Batch job's")
        reconciling = commands.add_parser(
            "reconcile", help="find and explain what doesn't agree, on either side"
        )
        reconciling.add_argument(
            "--apply", action="store_true", help="mend it; without this, nothing is changed"
        )
        reconciling.add_argument(
            "--terminate",
            action="store_true",
            help="mend it, and terminate what still runs although its job's row is gone or past it",
        )
        for command in (listing, show, reconciling):
            command.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            status = getattr(self, f"_{action}")(**options)
        except NotConfigured as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(str(error)) from error
        except Exception as error:
            from batchexec.aws.answers import configuration_error

            if text := configuration_error(error):
                raise CommandError(text) from error
            if type(error).__module__.startswith("botocore."):
                raise CommandError(f"AWS Batch can't be asked: {error}") from error
            if text := of_the_database(error):
                raise CommandError(text) from error
            raise
        if status:
            sys.exit(status)

    def _list(self, json: bool, **options: Any) -> int:
        found = markers.all_markers()
        shown = [_listed(marker, row) for marker, row in _with_rows(found)]
        if json:
            self._print_json(shown)
        elif shown:
            rows = [[str(one[name]) for name in COLUMNS] for one in shown]
            self.stdout.write(table([list(COLUMNS), *rows]))
        else:
            self.stdout.write("Nothing is in AWS Batch.")
        return 0

    def _show(self, id: str, json: bool, **options: Any) -> int:
        marker = markers.look_up(id)
        past = traces(id if marker is None else marker.job_id)
        if marker is None and not past:
            self.stderr.write(printable(f"Nothing is in Batch for {id!r}."))
            return NO_SUCH_MARKER
        failure = None
        try:
            said = _ask(marker, past)
        except Exception as error:
            said, failure = {}, error
        shown = {**_now(marker, said), "executions": [_past(trace) for trace in past]}
        if json:
            self._print_json(shown)
        else:
            self._print_lines(shown)
        if failure is not None:
            raise failure
        return 0

    def _print_lines(self, shown: dict[str, Any]) -> None:
        for name, value in shown.items():
            if value:
                text = _dump(value) if isinstance(value, (dict, list)) else value
                self.stdout.write(printable(f"{name + ':':<16} {text}"))

    def _reconcile(self, apply: bool, terminate: bool, json: bool, **options: Any) -> int:
        found = reconcile(_client())
        apply = apply or terminate
        chosen = [one for one in found if one.mend and apply and (terminate or not one.terminates)]
        mended = _mended(chosen)
        left = any(one.mend is not None and one not in mended for one in found)
        if json:
            shown = [{**_finding_as_json(one), "mended": one in mended} for one in found]
            self._print_json(shown)
            return NOT_MENDED if left else 0
        for finding in found:
            self.stdout.write(printable(_line(finding, _verb(finding, mended, apply, terminate))))
        if not found:
            self.stdout.write("Markers, jobs and AWS Batch agree.")
        elif left and not apply:
            self.stdout.write(
                "Nothing was changed; run it with --apply to mend what can be mended."
            )
        return NOT_MENDED if left else 0

    def _print_json(self, value: Any) -> None:
        self.stdout.write(_dump(value))


def _client() -> BatchClient:
    """Made here, so that without boto3 there still are sub-commands, and a sentence."""
    from batchexec.aws.client import BatchClient

    return BatchClient()


def _with_rows(found: list[BatchJob]) -> Iterator[tuple[BatchJob, Job | None]]:
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        rows = markers.jobs_of(Job, [marker.job_id for marker in some])
        yield from ((marker, rows.get(marker.job_id)) for marker in some)


def _listed(marker: BatchJob, row: Job | None) -> dict[str, Any]:
    return {**as_dict(marker), "job_state": state_of_job(marker, row)}


def _ask(marker: BatchJob | None, past: list[BatchExecutionRecord]) -> dict[str, dict[str, Any]]:
    """What AWS Batch says now, by Batch job: of the marker's, and of past executions
    whose end nobody has seen. Their traces are completed.
    """
    unconfirmed = [trace for trace in past if is_unconfirmed(trace)]
    ids = {row.batch_job_id for row in (*unconfirmed, marker) if row and row.batch_job_id}
    said = _client().describe(sorted(ids)) if ids else {}
    for trace in unconfirmed:
        if trace.batch_job_id in said:
            complete(trace, said[trace.batch_job_id])
    return said


def _now(marker: BatchJob | None, said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The marker with its job's row, and what AWS Batch says of its Batch job."""
    if marker is None:
        return {}
    [(_, row)] = _with_rows([marker])
    shown = {**_listed(marker, row), "remark": standing(marker, row)}
    detail = said.get(marker.batch_job_id)
    if detail is not None:
        known = essence(detail)
        shown |= {
            "status": known["status"],
            "status_reason": known.get("statusReason", ""),
            "log_stream": log_stream(known),
        }
    return {**shown, "aws_batch": detail}


def _past(trace: BatchExecutionRecord) -> dict[str, Any]:
    return {**as_dict(trace), "remark": remark_on(trace)}


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in SHOWN_OF_FINDING}


def _mended(findings: list[Finding]) -> list[Finding]:
    """Mends all, and waits for what takes its time; returns those that are mended."""
    deadline = time.monotonic() + PATIENCE
    mended: list[Finding] = []
    while left := [one for one in findings if one not in mended]:
        mended += [one for one in left if one.mend is not None and one.mend()]
        if len(mended) == len(findings) or time.monotonic() > deadline:
            break
        time.sleep(PAUSE)
    return mended


def _verb(finding: Finding, mended: list[Finding], apply: bool, terminate: bool) -> str:
    if finding in mended:
        return "mended"
    if finding.terminates and not terminate:
        return "only with --terminate"
    return "not mended" if apply else "would be mended"


def _line(finding: Finding, verb: str) -> str:
    subject = f"job {finding.job_id or '?'}, Batch job {finding.batch_job_id or '-'}"
    line = f"{finding.kind}: {subject}: {finding.explanation}"
    return f"{line} ({verb}: {finding.remedy})" if finding.remedy else line
