"""Shows and changes the jobs of the queue."""

from __future__ import annotations

import datetime as dt
import sys
from argparse import ArgumentParser
from typing import Any

from jobs.management.arguments import duration, limit, log_lines, pause, take_negatives, text
from jobs.management.failures import explained
from jobs.management.output import OutputCommand, silence
from jobs.management.queue import changing, errors, logs, looking, pausing, signing, watching
from jobs.management.queue.choosing import take_conditions, take_ids_or_conditions
from jobs.management.queue.console import INTERRUPTED, NO_SUCH_JOB, Console, Stop
from jobs.management.queue.repeating import Action, repeat
from jobs.operator import actions
from jobs.states import FINISHED, UNFINISHED


class Command(OutputCommand):
    stops_unread = True
    help = (
        "Shows and changes the jobs of the queue. Exit status: 0 done, "
        "1 refused or failed (`check`: jobs wait too long), 2 wrong usage, 4 no such job."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")

        def add(
            name: str, action: Action, help: str, *, watch: bool = False, asks: bool = False
        ) -> ArgumentParser:
            added: ArgumentParser = commands.add_parser(name, help=help, description=help)
            added.add_argument("--json", action="store_true", help="print JSON")
            if watch:
                added.add_argument(
                    "--watch",
                    type=pause,
                    nargs="?",
                    const=2.0,
                    metavar="S",
                    help="look again every S seconds until Ctrl-C; default: 2",
                )
            if asks:
                added.add_argument("--yes", action="store_true", help="don't ask")
                added.add_argument(
                    "--dry-run", action="store_true", help="say what would be done, and do nothing"
                )
            take_negatives(added)
            added.set_defaults(run=action)
            return added

        found = add("list", looking.list_jobs, "Lists jobs, the youngest first.", watch=True)
        take_conditions(found)
        found.add_argument("--limit", type=limit, default=50, metavar="N", help="default: 50")

        found = add("show", looking.show, "Shows all that is known of a job.", watch=True)
        found.add_argument("id")

        found = add(
            "errors",
            errors.list_errors,
            "Counts failed jobs by their error, the most frequent first.",
            watch=True,
        )
        found.add_argument("--limit", type=limit, default=20, metavar="N", help="default: 20")
        found.add_argument(
            "--group-older",
            action="store_true",
            help="first group jobs that failed before errors were grouped",
        )

        found = add("logs", logs.show_log, "Shows what an execution on AWS Batch has logged.")
        found.add_argument("id")
        found.add_argument(
            "--follow", action="store_true", help="go on with new lines until the job has ended"
        )
        found.add_argument(
            "--lines", type=log_lines, default=100, metavar="N", help="the last N; default: 100"
        )

        found = add(
            "retry",
            changing.retry,
            "Makes failed, cancelled or succeeded jobs ready again, with all their attempts.",
            asks=True,
        )
        found.add_argument("--failed", action="store_true", help="like --state failed")
        take_ids_or_conditions(found, "waiting_longer_than", "worker", states=FINISHED)

        found = add(
            "cancel",
            changing.cancel,
            "Ends unfinished jobs; their rows are kept as cancelled.",
            asks=True,
        )
        take_ids_or_conditions(found, "failed_within", "error", states=UNFINISHED)

        found = add(
            "unlock",
            changing.unlock,
            "Lets go of jobs' locks, as if their leases had expired.",
            asks=True,
        )
        take_ids_or_conditions(found, "state", "failed_within", "waiting_longer_than", "error")

        found = add(
            "sign",
            signing.sign,
            "Signs jobs that you restored or wrote by hand, so that workers load them.",
        )
        which = found.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", default=[], metavar="ID")
        which.add_argument(
            "--all",
            action="store_true",
            help="every job that has no signature at all, or one of an older key",
        )
        found.add_argument("--full", action="store_true", help="show each handler as a whole")
        found.add_argument("--yes", action="store_true", help="don't ask")

        found = add(
            "clear",
            changing.clear,
            "Deletes jobs; running and detached ones only where --state names theirs.",
            asks=True,
        )
        take_conditions(found, "worker")

        found = add("prune", changing.prune, "Deletes jobs that ended a while ago.", asks=True)
        found.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="DURATION",
            help="7d, 12h, 30m, 45s or seconds",
        )
        take_conditions(found, "waiting_longer_than", "worker", states=FINISHED)

        found = add(
            "check",
            looking.check,
            "Exits 1 where jobs wait that no worker takes; for monitoring.",
            watch=True,
        )
        found.add_argument(
            "--max-age",
            type=duration,
            default=dt.timedelta(minutes=5),
            metavar="S",
            help="seconds; default: 300",
        )

        for name, action, help in (
            ("pause", pausing.pause, "Has workers begin no more jobs of a queue, or of a class."),
            ("resume", pausing.resume, "Has workers begin them again."),
        ):
            found = add(name, action, help)
            which = found.add_mutually_exclusive_group(required=True)
            which.add_argument("queue", type=text, nargs="?", metavar="QUEUE")
            which.add_argument("--name", type=text, help="jobs of exactly this name")
            if name == "pause":
                found.add_argument("--reason", type=text, default="", help="shown to others")

        found = add("workers", watching.workers, "Lists the workers that run.", watch=True)
        found.add_argument(
            "--check",
            type=text,
            nargs="?",
            const="",
            metavar="NAME",
            help="exit 1 if the worker of that name gives no sign of life; "
            "default: any worker of this host",
        )
        found.add_argument(
            "--max-silence",
            type=duration,
            metavar="DURATION",
            help="for --check; default: the worker's lease",
        )

        add("stats", looking.stats, "Counts jobs by queue and state.", watch=True)

    def handle(self, *args: Any, run: Action, **options: Any) -> None:
        console = Console.of(self.stdout, self.stderr, options)
        try:
            if options.get("watch") is not None:
                status = repeat(run, self.stdout, console, options)
            else:
                status = run(console, options)
            self.stdout.flush()
        except Stop as error:
            status = console.complain(error, error.status)
        except actions.Refused as error:
            status = console.complain(error)
        except actions.NoSuchJob as error:
            status = console.complain(error, NO_SUCH_JOB)
        except BrokenPipeError:  # whoever read has seen enough
            silence(sys.stdout)
            return
        except KeyboardInterrupt:
            status = console.complain("Interrupted: what was done so far stays.", INTERRUPTED)
        except Exception as error:
            if options["traceback"]:
                raise
            status = console.complain(explained(error))
        if status:
            sys.exit(status)
