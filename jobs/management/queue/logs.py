"""`jobs logs`: what an execution elsewhere has logged, and what it goes on to log."""

from __future__ import annotations

import time
from collections.abc import Iterator

from jobs.management.queue.console import DONE, Console, Options, Stop
from jobs.models import Job
from jobs.operator import actions, elsewhere
from jobs.operator.elsewhere import Log, NoLog, NotYet
from jobs.states import FINISHED
from jobs.store import store_for

#: Seconds between two looks.
PAUSE = 2.0
#: Once the job has ended, that many looks in a row must find nothing new: lines arrive
#: late.
QUIET = 3


def show_log(console: Console, options: Options) -> int:
    read = _followed if options["follow"] else _once
    for lines in read(console, options["id"], options["lines"]):
        if options["json"]:
            console.say_json({"lines": lines})
        else:
            for line in lines:
                console.say(line)
        console.flush()
    return DONE


def _once(console: Console, pk: str, lines: int) -> Iterator[list[str]]:
    log = elsewhere.log_of(pk)
    if log is None:
        raise _no_log(pk)
    try:
        yield log.read(lines)
    except NoLog as error:
        raise Stop(str(error)) from error


def _followed(console: Console, pk: str, lines: int) -> Iterator[list[str]]:
    """New lines of the newest execution, until the job has ended and is silent.

    Ctrl-C ends it, too.
    """
    log, quiet, told = None, 0, ""
    try:
        while quiet < QUIET:
            is_over = _is_over(pk)
            log = _newest(pk, log)
            if log is None and is_over:
                raise _no_log(pk)
            try:
                found = [] if log is None else log.read(lines)
                waits_for = "It has not begun to be executed." if log is None else ""
            except NotYet as error:
                found, waits_for = [], str(error)
            except NoLog as error:
                raise Stop(str(error)) from error
            if waits_for and waits_for != told:
                console.complain(waits_for)
                told = waits_for
            if found:
                yield found
            quiet = quiet + 1 if is_over and not found else 0
            if quiet < QUIET:
                time.sleep(PAUSE)
    except KeyboardInterrupt:
        return


def _newest(pk: str, known: Log | None) -> Log | None:
    """The one that is read already, unless there is a newer execution."""
    found = elsewhere.log_of(pk)
    return known if found is None or (known and known.name == found.name) else found


def _is_over(pk: str) -> bool:
    job = store_for(Job).get(pk)
    return job is None or job.state in FINISHED


def _no_log(pk: str) -> Stop:
    job = actions.find(pk)
    return Stop(
        f"Nothing is known of an execution of job {job.pk} in {elsewhere.names()}, so there is no "
        "log of it: what a worker performs itself is in that worker's log. If an execution has "
        "just ended, look again in a few seconds."
    )
