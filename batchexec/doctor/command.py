"""`manage.py batchexec doctor`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from batchexec.doctor.canary import Step
    from batchexec.doctor.findings import Finding

HELP = "what is wrong with the deployment, each finding with its cure"
#: Seconds that a canary may take: Fargate's start, and a machine's on EC2.
CANARY_LIMIT = 600.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--worker-role",
        default="",
        metavar="ARN",
        help="look at the rights of this role in place of the caller's",
    )
    parser.add_argument(
        "--canary",
        action="store_true",
        help="submit a job that does nothing, and follow it; it is removed afterwards",
    )
    parser.add_argument(
        "--canary-limit",
        type=float,
        default=CANARY_LIMIT,
        metavar="S",
        help="seconds until the canary is given up (%(default)g)",
    )


def run(command: BaseCommand, **options: Any) -> int:
    """Prints a line for each finding. Returns 1 if one is a fault, else 0."""
    from batchexec.doctor.checks import look
    from batchexec.doctor.deployment import Deployment
    from batchexec.doctor.rounds import is_healthy

    report = Report(command, as_json=options["json"])
    deployment = Deployment(options["worker_role"])
    found = look(deployment, report.finding)
    if options["canary"] and is_healthy(found):
        from batchexec.doctor.canary import fly

        _, verdict = fly(deployment, options["canary_limit"], report.step)
        found.append(verdict)
        report.finding(verdict)
    elif options["canary"]:
        from batchexec.doctor.findings import warning

        skipped = warning("No canary flies with faults.", "mend the faults above first.")
        found.append(skipped)
        report.finding(skipped)
    healthy = is_healthy(found)
    report.end(healthy)
    return 0 if healthy else 1


class Report:
    """Prints at once what it is told, or at the end as JSON."""

    def __init__(self, command: BaseCommand, *, as_json: bool):
        self._out = command.stdout
        self._as_json = as_json
        self._styles = {
            "ok": command.style.SUCCESS,
            "warning": command.style.WARNING,
            "fault": command.style.ERROR,
        }
        self._findings: list[dict[str, str]] = []
        self._steps: list[dict[str, Any]] = []

    def finding(self, finding: Finding) -> None:
        check = finding.check or "canary"
        self._findings.append(
            {"check": check, "level": finding.level, "text": finding.text, "cure": finding.cure}
        )
        if not self._as_json:
            word = self._styles[finding.level](f"{finding.level:<8}")
            cure = f" Cure: {finding.cure}" if finding.cure else ""
            self._out.write(f"{word} {check}: {finding.text}{cure}")

    def step(self, step: Step) -> None:
        self._steps.append({"seconds": round(step.seconds, 3), "text": step.text})
        if not self._as_json:
            self._out.write(f"{step.seconds:7.1f} s  {step.text}")

    def end(self, healthy: bool) -> None:
        if self._as_json:
            said = {"healthy": healthy, "findings": self._findings, "canary": self._steps}
            self._out.write(json.dumps(said, indent=2))
            return
        counted = [one["level"] for one in self._findings]
        self._out.write(f"{counted.count('fault')} faults, {counted.count('warning')} warnings.")
