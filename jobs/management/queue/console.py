"""How an action of `manage.py jobs` talks: to a person, or in JSON to a program."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import OutputWrapper

from jobs.management.terminal import printable

#: What the parser understood, by the names of the options.
Options = dict[str, Any]

#: Exit statuses.
DONE, REFUSED, NO_SUCH_JOB = 0, 1, 4


class Stop(Exception):
    """Ends the command with this message on stderr and REFUSED as its exit status."""


class Console:
    """The command's stdout and stderr."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper):
        self._out = out
        self._err = err

    def say(self, line: str) -> int:
        self._out.write(printable(line))
        return DONE

    def say_json(self, value: Any) -> int:
        self._out.write(json.dumps(value))
        return DONE

    def complain(self, error: Exception | str, status: int = REFUSED) -> int:
        self._err.write(printable(str(error)))
        return status

    def ask(
        self, question: str, options: Options, *, otherwise: str = "Nothing was changed."
    ) -> None:
        """Raises Stop, which says `otherwise`, unless the answer is yes, or `--yes`."""
        if options["yes"]:
            return
        if sys.stdin is None or not sys.stdin.isatty():
            raise Stop(f"{question} Nobody can be asked here: say --yes.")
        self._err.write(f"{question} [y/N]", lambda line: line, ending=" ")
        self._err.flush()
        try:
            answer = input()
        except (EOFError, KeyboardInterrupt):
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise Stop(otherwise)

    def report(
        self, done: str, number: int, refused: list[dict[str, str]] | None, options: Options
    ) -> int:
        """How many jobs were `done`; `refused` is None if none can be."""
        if options["json"]:
            return self.say_json(
                {done: number} if refused is None else {done: number, "refused": refused}
            )
        return self.say(f"{counted(number)} {done}.") if number or not refused else DONE


def counted(number: int) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number:,} job{'' if number == 1 else 's'}"
