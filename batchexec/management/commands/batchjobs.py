"""`manage.py batchjobs`: the jobs in AWS Batch, and whether their markers agree."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from batchexec import markers
from batchexec.aws.errors import NotConfigured
from batchexec.models import BatchJob
from batchexec.upkeep.findings import Finding
from batchexec.upkeep.reconciler import reconcile
from jobs.management.terminal import printable, table

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient

NOT_MENDED, NO_SUCH_MARKER = 1, 4
COLUMNS = (
    "job_id",
    "epoch",
    "batch_job_id",
    "state",
    "status",
    "job_queue",
    "submitted_at",
    "status_reason",
)
SHOWN_OF_FINDING = ("kind", "job_id", "batch_job_id", "explanation", "remedy")


class Command(BaseCommand):
    help = (
        "Shows the jobs in AWS Batch, and compares them with their markers. "
        "Exit status: 0 all is well, 1 something is left to mend, 4 no such marker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        listing = commands.add_parser("list", help="every job in AWS Batch, as last seen")
        show = commands.add_parser("show", help="one job, with what AWS Batch says now")
        show.add_argument("id", help="the job's id, or the Batch job's")
        reconciling = commands.add_parser(
            "reconcile", help="find and explain what doesn't agree, on either side"
        )
        reconciling.add_argument(
            "--apply", action="store_true", help="mend it; without this, nothing is changed"
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
            raise
        if status:
            sys.exit(status)

    def _list(self, json: bool, **options: Any) -> int:
        found = markers.all_markers()
        if json:
            self._print_json([_as_json(marker) for marker in found])
        elif found:
            rows = [[str(getattr(marker, name)) for name in COLUMNS] for marker in found]
            self.stdout.write(table([list(COLUMNS), *rows]))
        else:
            self.stdout.write("Nothing is in AWS Batch.")
        return 0

    def _show(self, id: str, json: bool, **options: Any) -> int:
        marker = markers.look_up(id)
        if marker is None:
            self.stderr.write(printable(f"Nothing is in Batch for {id!r}."))
            return NO_SUCH_MARKER
        details = _client().describe([marker.batch_job_id]) if marker.batch_job_id else {}
        shown = {**_as_json(marker), "aws_batch": details.get(marker.batch_job_id)}
        if json:
            self._print_json(shown)
        else:
            for name, value in shown.items():
                text = _dump(value) if isinstance(value, dict) else value
                self.stdout.write(printable(f"{name + ':':<16} {text}"))
        return 0

    def _reconcile(self, apply: bool, json: bool, **options: Any) -> int:
        shown, left = [], False
        for finding in reconcile(_client()):
            mended = apply and _mended(finding)
            left = left or (finding.mend is not None and not mended)
            shown.append({**_finding_as_json(finding), "mended": mended})
            if not json:
                self.stdout.write(printable(_line(finding, mended)))
        if json:
            self._print_json(shown)
        elif not shown:
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


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


def _as_json(marker: BatchJob) -> dict[str, Any]:
    names = [field.attname for field in BatchJob._meta.concrete_fields if not field.primary_key]
    values = {name: getattr(marker, name) for name in names}
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in values.items()
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in SHOWN_OF_FINDING}


def _mended(finding: Finding) -> bool:
    """Mends what can be mended; returns whether it did."""
    return finding.mend is not None and finding.mend()


def _line(finding: Finding, mended: bool) -> str:
    subject = f"job {finding.job_id or '?'}, Batch job {finding.batch_job_id or '-'}"
    line = f"{finding.kind}: {subject}: {finding.explanation}"
    if not finding.remedy:
        return line
    return f"{line} ({'mended' if mended else 'would be mended'}: {finding.remedy})"
