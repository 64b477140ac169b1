"""`manage.py localbatch`: AWS Batch on your own machine."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from batchexec.local.guard import is_loopback
from jobs.management.arguments import port_or_any
from jobs.management.output import OutputCommand

DEFAULT_PORT = 5005
CONSENT = "--i-know-that-it-executes-commands"
#: Options that are the server's own defaults if they are left out.
GIVEN = (
    "max_running",
    "start_delay",
    "stop_grace",
    "forget_after",
    "lag",
    "list_lag",
    "tps",
    "policy",
)


class Command(OutputCommand):
    help = (
        "AWS Batch on this machine: jobs run as local processes. "
        "Point AWS_ENDPOINT_URL_BATCH at it; any credentials will do. "
        "For development and tests, not for production."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
        add(
            CONSENT,
            dest="consent",
            action="store_true",
            help="needed for a --host that other machines can reach",
        )
        add(
            "--name",
            action="append",
            default=[],
            help="a host name that clients call it by on such a --host; you can repeat it",
        )
        add(
            "--port",
            type=port_or_any,
            default=DEFAULT_PORT,
            help="default: %(default)s; 0: a free one",
        )
        add(
            "--max-running",
            type=int,
            help="containers at once, default: two per core; other jobs stay RUNNABLE",
        )
        add("--start-delay", type=float, help="seconds from SubmitJob to the container's start")
        add(
            "--lag",
            type=float,
            help="seconds, at random around it, until each change of a job's status is decided "
            "or noticed; default: 0",
        )
        add(
            "--list-lag",
            type=float,
            help="the same until ListJobs shows a new job or status; default: 0",
        )
        add("--tps", type=float, help="calls a second, further ones get a 429; default: any number")
        add(
            "--policy",
            type=Path,
            metavar="FILE",
            help="an IAM policy document: what it doesn't allow gets a 403; default: allow all",
        )
        add(
            "--stop-grace",
            type=float,
            help="seconds from SIGTERM to SIGKILL; default: 30, as on AWS",
        )
        add(
            "--forget-after",
            type=float,
            help="seconds until a finished job is forgotten; default: never",
        )
        add(
            "--create",
            action="store_true",
            help="make the job queue, the job definition and the log group that BATCHEXEC names",
        )
        add("--allow-short-timeouts", action="store_true", help="job timeouts below AWS's 60 s")
        add("--echo", action="store_true", help="show the containers' output")
        add(
            "--fault",
            action="append",
            default=[],
            metavar="SPEC",
            help="operation:kind[:key=value,...], e.g. SubmitJob:reset-after:times=1; "
            "you can repeat it",
        )

    def handle(
        self,
        *args: Any,
        host: str,
        consent: bool,
        name: list[str],
        port: int,
        fault: list[str],
        allow_short_timeouts: bool,
        echo: bool,
        create: bool,
        **options: Any,
    ) -> None:
        if not consent and not is_loopback(host):
            raise CommandError(
                f"Other machines can reach {host!r}, and localbatch runs commands for everybody "
                f"who reaches it: leave --host out, or add {CONSENT}."
            )
        try:
            from batchexec.local.server import LocalBatch
        except ImportError as error:
            text = f"moto isn't installed ({error}): pip install 'django-delayed-batch[local]'."
            raise CommandError(text) from None
        stop = threading.Event()
        try:
            server = LocalBatch(
                port,
                host=host,
                names=name,
                faults=fault,
                allow_short_timeouts=allow_short_timeouts,
                echo=echo,
                create=create,
                **{name: options[name] for name in GIVEN if options[name] is not None},
            )
            with server:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: stop.set())
                address = f"export AWS_ENDPOINT_URL_BATCH={server.url}"
                self.stdout.write(f"AWS Batch is served: {address}")
                self.stdout.flush()
                stop.wait()
        except OSError as error:
            text = f"Port {port} of {host} can't be listened on: {error.strerror}."
            raise CommandError(text) from None
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from None
