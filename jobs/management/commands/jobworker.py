"""Performs jobs until it is stopped."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import DatabaseError

from jobs.conf import settings
from jobs.conf.options import integer
from jobs.exceptions import JobError
from jobs.lifecycle import Plugin
from jobs.management.arguments import port
from jobs.management.output import OutputCommand
from jobs.management.terminal import is_for_a_bar
from jobs.runner import check_name

BATCH_PLUGIN = "batchexec.plugin.BatchExecution"


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def priority(text: str) -> int:
    try:
        return integer(int(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a priority: a whole number") from None


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def name(text: str) -> str:
    try:
        return check_name("the name", text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def pool(text: str) -> tuple[str, int]:
    """`q1,q2:3`: queues and a number of workers for them.

    No queues, or `*`, are all of them; no number is one, as in Delayed Job.
    """
    queues, colon, number = text.partition(":")
    if queues.strip() == "*":
        queues = ""
    return queues, positive(number) if colon else 1


class Command(OutputCommand):
    help = (
        "Works off the queue until TERM or INT tells it to stop. "
        "A second signal interrupts the jobs in this process."
    )
    # Not the checks of the web side: they import the URLconf with every view, which a
    # worker would keep in memory for nothing.
    requires_system_checks = ["jobs", "batchexec"]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--batch",
            action="store_true",
            help="have jobs executed on AWS Batch, and wait for them",
        )
        parser.add_argument("--queues", "--queue", default="", metavar="A,B", help="default: all")
        parser.add_argument(
            "--pool",
            type=pool,
            action="append",
            metavar="Q1,Q2:N",
            help="N workers for these queues; repeatable",
        )
        parser.add_argument(
            "--processes",
            type=positive,
            metavar="N",
            help="worker processes; default: this one alone",
        )
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=1,
            metavar="N",
            help="jobs at once in a process; default: 1",
        )
        parser.add_argument("--min-priority", type=priority, metavar="N")
        parser.add_argument("--max-priority", type=priority, metavar="N")
        parser.add_argument(
            "--sleep-delay",
            type=seconds,
            metavar="S",
            help="seconds between two looks at an empty queue",
        )
        parser.add_argument(
            "--name", type=name, help="what locked_by holds; must be unique among running workers"
        )
        parser.add_argument(
            "--exit-on-complete",
            action="store_true",
            default=None,
            help="leave when nothing is left to do",
        )
        parser.add_argument(
            "--metrics-port",
            type=port,
            metavar="N",
            help="serve the figures of this process to Prometheus; each further process of "
            "--processes or --pool has the next port",
        )
        parser.add_argument(
            "--metrics-address",
            default="127.0.0.1",
            metavar="A",
            help="where to serve them; default: %(default)s",
        )
        parser.add_argument("--supervisor", type=int, help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pool"] and (options["queues"] or options["processes"]):
            raise CommandError(
                "--pool says which queues and how many processes: "
                "leave out --queues and --processes."
            )
        if options["pool"] or options["processes"]:
            from jobs.management.failures import require_migrated
            from jobs.process.supervisor import Supervisor, this_command

            require_migrated()  # or every worker would say so
            sys.exit(Supervisor(list(_children(options)), this_command()).run())
        self._work(options)

    def _work(self, options: dict[str, Any]) -> None:
        from jobs.execution.endings import end_process
        from jobs.management.failures import of_the_database, require_migrated
        from jobs.process.keeper import heartbeat
        from jobs.process.supervisor import watch_parent
        from jobs.worker import Worker

        try:
            worker = Worker(
                name=options["name"],
                queues=[queue.strip() for queue in options["queues"].split(",") if queue.strip()],
                min_priority=options["min_priority"],
                max_priority=options["max_priority"],
                sleep_delay=options["sleep_delay"],
                exit_on_complete=options["exit_on_complete"],
                concurrency=options["concurrency"],
                plugins=[*_progress(options), *_plugins(options["batch"])],
                heartbeat=heartbeat(),
            )
            require_migrated()
            if options["supervisor"]:
                watch_parent(options["supervisor"], worker.stop)
            if options["metrics_port"]:
                _serve_metrics(options["metrics_port"], options["metrics_address"])
            threads = set(threading.enumerate())
            worker.start()
            if getattr(self, "_called_from_command_line", False):
                end_process(0, threads)
        except (ValueError, TypeError, ImportError, JobError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            if text := of_the_database(error):
                raise CommandError(text) from error
            raise


def _progress(options: dict[str, Any]) -> list[type[Plugin]]:
    """A bar, for somebody who waits at a terminal for the last job."""
    exits = options["exit_on_complete"] or settings.EXIT_ON_COMPLETE
    if not exits or options["supervisor"] or not is_for_a_bar(sys.stderr):
        return []
    from jobs.management.progress import ProgressBar

    return [ProgressBar]


def _plugins(batch: bool) -> list[str]:
    plugins = list(settings.PLUGINS)
    app = BATCH_PLUGIN.partition(".")[0]
    if batch and not apps.is_installed(app):
        raise CommandError(f'--batch needs "{app}" in INSTALLED_APPS.')
    if batch and BATCH_PLUGIN not in plugins:
        plugins.append(BATCH_PLUGIN)
    return plugins


def _serve_metrics(port: int, address: str) -> None:
    try:
        from jobs.metrics import serve

        serve(port, address)
    except ImportError:
        raise CommandError(
            "--metrics-port needs prometheus-client: pip install 'django-delayed-batch[metrics]'."
        ) from None
    except OSError as error:
        raise CommandError(
            f"Port {port} of {address} can't be listened on: {error.strerror}."
        ) from None


def _children(options: dict[str, Any]) -> Iterator[list[str]]:
    """The arguments of each worker process, numbered as in Delayed Job."""
    pools = options["pool"] or [(options["queues"], options["processes"])]
    queues = [queue for queue, number in pools for _ in range(number)]
    for index, queue in enumerate(queues):
        arguments = ["--queues", queue, "--concurrency", str(options["concurrency"])]
        for flag in ("min_priority", "max_priority", "sleep_delay"):
            if options[flag] is not None:
                arguments.append(f"--{flag.replace('_', '-')}={options[flag]}")
        if options["metrics_port"]:
            arguments += ["--metrics-port", str(options["metrics_port"] + index)]
            arguments += ["--metrics-address", options["metrics_address"]]
        if options["name"]:
            arguments += ["--name", f"{options['name']}.{index}"]
        arguments += [
            f"--{flag.replace('_', '-')}" for flag in ("batch", "exit_on_complete") if options[flag]
        ]
        yield arguments
