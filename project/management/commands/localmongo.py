from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from project.databases import LOCAL_MONGO_PORT


class Command(BaseCommand):
    help = "Serves the MongoDB wire protocol on this machine (SecantusDB): for development and tests, not for production."
    # It is what the checks that need a database would wait for.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=LOCAL_MONGO_PORT, help="default: %(default)s"
        )
        parser.add_argument(
            "--data",
            type=Path,
            default=settings.BASE_DIR / "var" / "mongo",
            help="default: var/mongo",
        )

    def handle(self, *args: Any, port: int, data: Path, **options: Any) -> None:
        try:
            import secantus.cli  # noqa: F401
        except ImportError:
            raise CommandError(
                "SecantusDB isn't installed: `pip install -r requirements-local.txt`, or, where it has no wheel, "
                "leave DATABASE_URL unset to use SQLite."
            ) from None
        data.mkdir(parents=True, exist_ok=True)
        self.stderr.write(f"Serving MongoDB's protocol on 127.0.0.1:{port}, data in {data}.")
        # In place of this process, so that signals and the exit status are the server's own.
        serve = "import sys; from secantus.cli import main; sys.exit(main())"
        arguments = [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--storage-path",
            str(data),
            "--sync-on-commit",
        ]
        os.execv(
            sys.executable, [sys.executable, "-c", serve, *arguments, "--log-level", "WARNING"]
        )  # noqa: S606
