"""`manage.py localmongo`: a MongoDB for development, without installing one."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.databases import LOCAL_MONGO_PORT
from jobs.folders import make_private, project_folder
from jobs.management import arguments

#: What a process of SecantusDB runs. It keeps the replies to writes that a driver might
#: repeat, and sorts them at each write: with the 10,000 that are its default, a write
#: takes ten milliseconds.
SERVE = (
    "import sys; from secantus import cli, transactions; "
    "transactions._RETRYABLE_RECORD_MAX = 300; sys.exit(cli.main())"
)


class Command(BaseCommand):
    help = (
        "Serves MongoDB's wire protocol on this machine by SecantusDB. "
        "It is for development and tests, not for production."
    )
    # Checks that need a database would wait for the one that this command starts.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        data = project_folder() / "var" / "mongo"
        port = LOCAL_MONGO_PORT
        parser.add_argument(
            "--port", type=arguments.port, default=port, help="default: %(default)s"
        )
        parser.add_argument("--data", type=Path, default=data, help="default: var/mongo")

    def handle(self, *args: Any, port: int, data: Path, **options: Any) -> None:
        try:
            import secantus.cli  # noqa: F401
        except ImportError:
            raise CommandError(
                "SecantusDB isn't installed: pip install 'django-delayed-batch[local]'. "
                "If there is no wheel for this Python, use SQLite or a MongoDB of yours."
            ) from None
        try:
            make_private(data)
        except OSError as error:
            raise CommandError(f"--data {data} can't be made: {error.strerror}.") from None
        _require_free(port)
        self.stderr.write(f"Serving MongoDB's protocol on 127.0.0.1:{port}, data in {data}.")
        command = [sys.executable, "-c", SERVE, "--host", "127.0.0.1", "--port", str(port)]
        command += ["--storage-path", str(data), "--sync-on-commit", "--log-level", "WARNING"]
        # Replaces this process, so that signals and exit status are the server's own.
        os.execv(sys.executable, command)  # noqa: S606


def _require_free(port: int) -> None:
    """Here, because the server's own error is a traceback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} of 127.0.0.1 can't be listened on: {error.strerror}. "
                "Name another one by --port."
            ) from None
