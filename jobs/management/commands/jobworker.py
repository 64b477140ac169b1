from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.conf import settings
from jobs.exceptions import JobError

BATCH_PLUGIN = "batchexec.plugin.BatchExecution"


class Command(BaseCommand):
    help = "Works off the queue until it is told to stop (TERM or INT; a second one interrupts the jobs in this process)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", action="store_true", help="have jobs executed on AWS Batch, and wait for them")
        parser.add_argument("--queues", help="comma-separated names; default: all")
        parser.add_argument("--concurrency", type=int, default=1, metavar="N", help="jobs at once in this process; default: 1")
        parser.add_argument("--min-priority", type=int, metavar="N")
        parser.add_argument("--max-priority", type=int, metavar="N")
        parser.add_argument("--sleep-delay", type=float, metavar="S", help="seconds between two looks at an empty queue")
        parser.add_argument("--name", help="what locked_by holds; must be unique among running workers")
        parser.add_argument("--exit-on-complete", action="store_true", default=None, help="leave when nothing is left to do")

    def handle(self, *args: Any, **options: Any) -> None:
        from jobs.worker import Worker

        try:
            worker = Worker(
                name=options["name"],
                queues=[queue.strip() for queue in (options["queues"] or "").split(",") if queue.strip()],
                min_priority=options["min_priority"],
                max_priority=options["max_priority"],
                sleep_delay=options["sleep_delay"],
                exit_on_complete=options["exit_on_complete"],
                concurrency=options["concurrency"],
                plugins=_plugins(options["batch"]),
            )
            worker.start()
        except (ValueError, ImportError, JobError) as error:
            raise CommandError(str(error)) from error


def _plugins(batch: bool) -> list[str]:
    plugins = list(settings.PLUGINS)
    if batch and BATCH_PLUGIN not in plugins:
        plugins.append(BATCH_PLUGIN)
    return plugins
