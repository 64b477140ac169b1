"""What the container runs.

Every Batch job pays for its start, so nothing is imported here that performing a job
doesn't need.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from argparse import ArgumentParser
from typing import Any

from jobs.management.output import OutputCommand
from jobs.text import one_line

PERFORMED, RAISED, REFUSED, NO_SUCH_JOB, NOT_RECORDED, TERMINATED = 0, 1, 3, 4, 75, 143


class Command(OutputCommand):
    help = (
        "Performs one job now. Exit status: 0 performed, 1 it raised and that is recorded "
        "(or the database isn't migrated), "
        "3 refused (not this execution's), 4 no such job, 75 the outcome could not be "
        "recorded, 143 ended by SIGTERM, recorded."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "id",
            help="the job's primary key; with JOB_EPOCH in the environment, of that epoch only",
        )

    def handle(self, *args: Any, id: str, **options: Any) -> None:
        from jobs.conf import settings
        from jobs.lifecycle import not_handing_over
        from jobs.process.keeper import heartbeat
        from jobs.runjob import NotBegun, Refused, run_by_hand, run_registered
        from jobs.store.patience import brief
        from jobs.worker import Worker

        for text in settings.strangers():  # checks don't run here
            self.stderr.write(one_line(text))
        worker = Worker(plugins=not_handing_over(settings.PLUGINS), heartbeat=heartbeat())
        terminated = []

        def terminate(signum: int, frame: Any) -> None:
            terminated.append(signum)
            # In a thread: this handler may have interrupted somebody who holds the very
            # lock that stopping takes.
            threading.Thread(target=worker.stopping.set, daemon=True).start()
            worker.interrupt()

        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, terminate)
        self._threads = set(threading.enumerate())
        epoch = os.environ.get("JOB_EPOCH")
        try:
            performed = (
                run_by_hand(worker, id) if epoch is None else run_registered(worker, id, epoch)
            )
        except LookupError as error:
            self._leave(NO_SUCH_JOB, str(error))
        except Refused as error:
            self._leave(REFUSED, str(error))
        except NotBegun as error:
            self._leave(NOT_RECORDED, f"Job {id} was not begun. {error}")
        except Exception as error:
            from jobs.management.failures import is_not_migrated, of_the_database

            if is_not_migrated(error):
                self._leave(RAISED, of_the_database(error))
            self._leave(
                NOT_RECORDED, f"The outcome of job {id} could not be recorded: {brief(error)}"
            )
        if performed is None:
            self._leave(
                REFUSED,
                f"Job {id} was cancelled or given up while it ran: its outcome was dropped.",
            )
        if not performed:
            self._leave(TERMINATED if terminated else RAISED)
        self._leave(PERFORMED)

    def _leave(self, status: int, message: str = "") -> None:
        from jobs.execution.endings import end_process

        if message:
            self.stderr.write(one_line(message))
        if getattr(self, "_called_from_command_line", False):
            end_process(status, self._threads)
        if status:
            sys.exit(status)
