"""`manage.py batchexec deploy`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

HELP = "deploy"


def add_arguments(parser: ArgumentParser) -> None:
    pass


def run(command: BaseCommand, **options: Any) -> int:
    raise CommandError("Not there yet.")
