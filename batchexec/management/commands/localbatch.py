from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

DEFAULT_PORT = 5005


class Command(BaseCommand):
    help = (
        "AWS Batch on this machine: jobs run as local processes. "
        "Point AWS_ENDPOINT_URL_BATCH at it; any credentials will do. For development and tests, not for production."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s; 0: a free one")
        parser.add_argument("--max-running", type=int, help="containers at once, default: two per core; other jobs stay RUNNABLE")
        parser.add_argument("--start-delay", type=float, help="seconds from SubmitJob to the container's start")
        parser.add_argument("--stop-grace", type=float, help="seconds from SIGTERM to SIGKILL, default: 30 as on AWS")
        parser.add_argument("--forget-after", type=float, help="seconds until a finished job is unknown; default: never")
        parser.add_argument("--allow-short-timeouts", action="store_true", help="job timeouts below AWS's 60 s")
        parser.add_argument("--echo", action="store_true", help="show the containers' output")
        parser.add_argument(
            "--fault",
            action="append",
            default=[],
            metavar="SPEC",
            help="operation:kind[:key=value,...], e.g. SubmitJob:reset-after:times=1; repeatable; "
            "also POST /_faults, a JSON list of them",
        )

    def handle(
        self, *args: Any, host: str, port: int, fault: list[str], allow_short_timeouts: bool, echo: bool, **options: Any
    ) -> None:
        try:
            from batchexec.local.server import LocalBatch
        except ImportError as error:
            raise CommandError(f"moto isn't installed ({error}): pip install 'django-delayed-batch[local]'.") from None
        given = {key: options[key] for key in ("max_running", "start_delay", "stop_grace", "forget_after")}
        stop = threading.Event()
        try:
            server = LocalBatch(
                port,
                host=host,
                faults=fault,
                allow_short_timeouts=allow_short_timeouts,
                echo=echo,
                **{key: value for key, value in given.items() if value is not None},
            )
            with server:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: stop.set())
                self.stdout.write(f"AWS Batch is served: export AWS_ENDPOINT_URL_BATCH={server.url}")
                self.stdout.flush()
                stop.wait()
        except OSError as error:
            raise CommandError(f"Port {port} of {host} can't be listened on: {error.strerror}.") from None
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from None
