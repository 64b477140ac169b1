"""`manage.py batchexec`: AWS, from an empty account to the first job."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import CommandError

from jobs.management.failures import of_the_database
from jobs.management.output import OutputCommand
from jobs.text import one_line

#: Each sub-command is a module of its own that has HELP, `add_arguments(parser)` and
#: `run(command, **options)`, which returns the exit status.
SUB_COMMANDS = {
    "deploy": "batchexec.deploying.deploy",
    "push": "batchexec.deploying.push",
    "status": "batchexec.deploying.status",
    "destroy": "batchexec.deploying.destroy",
    "doctor": "batchexec.doctor.command",
}

#: Of what can't be read, in characters: proxies answer with whole pages.
LONGEST = 300
UNREADABLE = (
    "This answer isn't one of AWS's: see whether AWS_ENDPOINT_URL or a proxy leads elsewhere, and "
    "run this again."
)
AGAIN = "Run this again later: what is done is left as it is."
WHO = "the identity that runs the command, so allow it, or use other credentials"


class Command(OutputCommand):
    help = (
        "Makes what AWS Batch needs in an AWS account, shows it, checks it, removes it. "
        "Exit status: 0 done, or all is well; 1 not."
    )
    # A deployment must not depend on the database or on the worker's settings.
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except CommandError as error:  # of `add_arguments`, which Django doesn't look after
            self.stderr.write(f"CommandError: {error}")
            sys.exit(error.returncode)

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        for name, path in SUB_COMMANDS.items():
            try:
                module = import_module(path)
            except ImportError as error:  # boto3 is missing
                raise CommandError(str(error)) from error
            module.add_arguments(commands.add_parser(name, help=module.HELP))

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            status = import_module(SUB_COMMANDS[action]).run(self, **options)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: what is done stays. Run it again to go on.", returncode=130
            ) from None
        except Exception as error:
            if text := _sentence(error):
                raise CommandError(text) from error
            raise
        if status:
            sys.exit(status)


def _sentence(error: Exception) -> str:
    """What is wrong and what to do, for the errors that aren't ours; empty for ours."""
    if isinstance(error, CommandError):
        return ""
    if isinstance(error, ImportError):
        return str(error)
    from batchexec.aws import answers, credentials  # with boto3, which may be missing
    from batchexec.aws.boto import exceptions

    if isinstance(error, exceptions.ClientError):
        if answers.is_denied(error):
            return f"AWS denies this to {WHO}: {error}"
        if text := answers.configuration_error(error):
            return text
        if answers.is_passing(error):
            return f"AWS doesn't do this now: {error}. {AGAIN}"
        return f"AWS refuses this: {error}"
    if text := answers.configuration_error(error):
        return text
    if isinstance(error, OSError) and not answers.is_raised_within(error):
        return f"{type(error).__name__}: {one_line(error)}."  # of a file, not of credentials
    if text := credentials.missing(error):
        return text
    if isinstance(error, exceptions.BotoCoreError):
        return f"AWS can't be asked: {str(error).rstrip('.')}. {AGAIN}"
    if text := of_the_database(error):
        return text
    # By a LookupError, a member is missing that AWS always sends.
    if answers.is_unreadable(error) or isinstance(error, LookupError):
        what = f"{type(error).__name__}: {one_line(error)[:LONGEST]}"
        return f"{UNREADABLE} It is {what}; --traceback shows where."
    return ""
