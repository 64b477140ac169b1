"""`manage.py batchexec doctor`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

HELP = "what is wrong with the deployment, each finding with its cure"


def add_arguments(parser: ArgumentParser) -> None:
    pass


def run(command: BaseCommand, **options: Any) -> int:
    raise CommandError("Not there yet.")
