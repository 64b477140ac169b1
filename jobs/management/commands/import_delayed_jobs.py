"""Imports the jobs of Delayed Job, the Ruby library."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import ConnectionHandler

from jobs.management.failures import explained
from jobs.management.output import OutputCommand
from jobs.management.terminal import printable
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.importing.mapping import Entry

#: The setting that holds the mapping, if no file is named.
SETTING = "JOBS_IMPORT"
#: What is said of a row, before its reason or its job.
DID = {"imported": "imported", "before": "imported before", "left": "left, because"}
WOULD = {**DID, "imported": "would be imported"}


class Command(OutputCommand):
    help = (
        "Imports the jobs of Delayed Job that wait in a table of Active Record or a collection "
        "of Mongoid. What it can't map, it leaves and names. Stop Delayed Job's workers before. "
        "Exit status: 0 done, 1 refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--database", metavar="ALIAS", help="in DATABASES; default: default")
        where.add_argument("--url", help="of the database, such as postgres://user@host/shop")
        parser.add_argument(
            "--table",
            metavar="NAME",
            help="table or collection; default: delayed_jobs, delayed_backend_mongoid_jobs",
        )
        parser.add_argument(
            "--mapping",
            metavar="FILE",
            help=f"JSON; default: the setting {SETTING}",
        )
        parser.add_argument("--failed", action="store_true", help="jobs that have failed, too")
        parser.add_argument("--delete", action="store_true", help="delete what is imported there")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            from jobs.importing.delayed_job import Importer
            from jobs.importing.source import NoSource, source_of
        except ImportError as error:
            raise CommandError(
                "Ruby's YAML needs PyYAML: pip install 'django-delayed-batch[import]'."
            ) from error
        mapping = _mapping(options["mapping"])
        dry_run: bool = options["dry_run"]
        counts = {"imported": 0, "before": 0, "left": 0}
        try:
            with _connected(options["url"], options["database"]) as connection:
                importer = Importer(
                    source_of(connection, options["table"]),
                    Path(str(connection.settings_dict["NAME"])).name,
                    mapping,
                    failed=options["failed"],
                    delete=options["delete"],
                    dry_run=dry_run,
                )
                for outcome in importer.run():
                    counts[outcome.kind] += 1
                    if outcome.kind == "left" or dry_run or options["verbosity"] > 1:
                        verb = (WOULD if dry_run else DID)[outcome.kind]
                        self.stdout.write(printable(f"{outcome.id}: {verb} {outcome.said}"))
        except NoSource as error:
            raise CommandError(printable(str(error))) from error
        except (CommandError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise CommandError(printable(explained(error))) from error
        self.stdout.write(
            f"{'Would import' if dry_run else 'Imported'} {counts['imported']:,}, imported "
            f"before {counts['before']:,}, left {counts['left']:,}."
        )


def _mapping(path: str | None) -> dict[str, Entry]:
    from jobs.importing import mapping

    try:
        if path is not None:
            return mapping.read(Path(path))
        return mapping.of(getattr(settings, SETTING, {}))
    except mapping.BadMapping as error:
        raise CommandError(printable(one_line(error))) from error


@contextmanager
def _connected(url: str | None, alias: str | None) -> Iterator[Any]:
    if url is None:
        alias = alias or DEFAULT_DB_ALIAS
        if alias not in connections:
            raise CommandError(printable(f"DATABASES has no {alias!r}."))
        yield connections[alias]
        return
    from jobs import databases

    try:
        entry = databases.parse(url)
        connection = ConnectionHandler({DEFAULT_DB_ALIAS: entry})[DEFAULT_DB_ALIAS]
    except ImproperlyConfigured as error:
        said = one_line(error).replace("DATABASE_URL", "--url")
        raise CommandError(printable(said)) from error
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not Path(name).is_file():
        # SQLite would make one, which has no jobs in it.
        raise CommandError(printable(f"--url: there is no file {name}."))
    with closing(connection):
        yield connection
