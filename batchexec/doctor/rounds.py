"""Has each check look, for so long; what one raises costs the others nothing."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence

from batchexec.aws import answers, credentials
from batchexec.aws.boto import exceptions
from batchexec.doctor.deployment import Deployment, code_of
from batchexec.doctor.findings import FAULT, Check, Finding, NotThere, fault, warning
from jobs.text import one_line

#: Seconds that a check may take.
LIMIT = 45.0
#: Of what an error says, in characters: proxies answer with whole pages.
LONGEST = 300
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class Looking(threading.Thread):
    """One check at work. It is a daemon, so that one that hangs keeps no process."""

    def __init__(self, check: Check, deployment: Deployment):
        super().__init__(name=f"doctor-{check.name}", daemon=True)
        self.check = check
        self._deployment = deployment
        self._found: list[Finding] = []

    def run(self) -> None:
        from django.db import connections

        try:
            for finding in self.check.look(self._deployment):
                self._add(finding)
        except NotThere:
            pass
        except BaseException as error:
            self._add(of_error(error))
        finally:
            connections.close_all()  # this thread's

    def _add(self, finding: Finding) -> None:
        self._found.append(dataclasses.replace(finding, check=self.check.name))

    def findings(self, until: float) -> list[Finding]:
        """What it has found; waits until it has ended, or that instant."""
        self.join(max(0.0, until - time.monotonic()))
        found = list(self._found)
        if self.is_alive():
            late = warning(
                f"This can't be looked at: no answer within {LIMIT:g} s.",
                "see whether the network and its proxies let this machine through.",
            )
            found.append(dataclasses.replace(late, check=self.check.name))
        return found


def examine(
    deployment: Deployment, checks: Sequence[Check], tell: Callable[[Finding], None]
) -> list[Finding]:
    """Has all checks look at once, and tells what they find in their order."""
    looking = [Looking(check, deployment) for check in checks]
    until = time.monotonic() + LIMIT
    for one in looking:
        one.start()
    found: list[Finding] = []
    for one in looking:
        for finding in one.findings(until):
            found.append(finding)
            tell(finding)
    return found


def is_healthy(findings: Sequence[Finding]) -> bool:
    return all(finding.level != FAULT for finding in findings)


def of_error(error: BaseException) -> Finding:
    """What a check's error means for the reader."""
    is_answer = isinstance(error, exceptions.ClientError)
    text = "" if is_answer else credentials.missing(error)
    if text or answers.is_about_credentials(error):
        text = text or answers.configuration_error(error)
        return fault(text, "give this process credentials that AWS takes.")
    if isinstance(error, exceptions.ClientError):
        if answers.is_denied(error) or code_of(error) in DENIED:
            return warning(f"This can't be looked at: {_said(error)}", f"allow {_action(error)}.")
        return warning(
            f"This can't be looked at: {_said(error)}", "look it up in AWS's console instead."
        )
    if isinstance(error, (exceptions.BotoCoreError, OSError)):
        return warning(
            f"This can't be looked at: {_said(error)}",
            "let this machine reach that address (a route, a VPC endpoint, a proxy).",
        )
    if answers.is_unreadable(error):
        return warning(
            f"This can't be looked at, because the answer isn't one of AWS's: {_said(error)}",
            "see whether AWS_ENDPOINT_URL or a proxy leads elsewhere.",
        )
    return warning(
        f"This can't be looked at: {type(error).__name__}: {_said(error)}",
        "compare what is there with docs/deploying.md: it is not what the check expects.",
    )


def _said(error: BaseException) -> str:
    return one_line(error).partition("\\n")[0][:LONGEST].rstrip(".")


def _action(error: exceptions.ClientError) -> str:
    """The action as policies name it. Source: AWS says it in most of its refusals."""
    said = str(error).partition("to perform: ")[2].partition(" ")[0]
    return said or f"the action of {error.operation_name}"
