"""How an action of `manage.py jobs` talks: to a person, or in JSON to a program."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import OutputWrapper

from jobs.management.terminal import Paint, printable, table

#: What the parser understood, by the names of the options.
Options = dict[str, Any]

#: Exit statuses.
DONE, REFUSED, WRONG_USAGE, NO_SUCH_JOB = 0, 1, 2, 4
#: As shells have it: 128 and the number of INT.
INTERRUPTED = 130


class Stop(Exception):
    """Ends the command with this message on stderr, and `status` as its exit status."""

    def __init__(self, text: str, status: int = REFUSED):
        super().__init__(text)
        self.status = status


class Console:
    """The command's stdout and stderr.

    Tables are as wide as the terminal, `width`, or as wide as they want to be if that
    is None.
    """

    def __init__(
        self,
        out: OutputWrapper,
        err: OutputWrapper,
        *,
        width: int | None = None,
        has_colours: bool = False,
    ):
        self._out = out
        self._err = err
        self.width = width
        self.has_colours = has_colours

    @classmethod
    def of(cls, out: OutputWrapper, err: OutputWrapper, options: Options) -> Console:
        """As the terminal is, if it is one, and as the user wants it."""
        width = shutil.get_terminal_size().columns if out.isatty() else None
        return cls(out, err, width=width, has_colours=wants_colours(out, options))

    def say(self, line: str) -> int:
        self._out.write(printable(line))
        return DONE

    def say_json(self, value: Any) -> int:
        """NaN and infinities, which JSON hasn't, become null."""
        try:
            text = json.dumps(value, allow_nan=False)
        except ValueError:
            text = json.dumps(_finite(value))
        self._out.write(text)
        return DONE

    def say_table(self, rows: Sequence[Sequence[str]], paint: Paint | None = None) -> int:
        """`paint` counts only where there are colours."""
        shown = (paint or {}) if self.has_colours else None
        self._out.write(table(rows, width=self.width, paint=shown))
        return DONE

    def complain(self, error: Exception | str, status: int = REFUSED) -> int:
        # Django would have it red, whatever NO_COLOR says.
        style = None if self.has_colours else _plain
        self._err.write(printable(str(error)), style)
        return status

    def flush(self) -> None:
        self._out.flush()

    def ask(
        self,
        question: str,
        options: Options,
        *,
        otherwise: str = "Nothing was changed.",
        unattended: bool = False,
    ) -> bool:
        """Whether somebody was asked. Raises Stop, which says `otherwise`, unless the
        answer is yes, or `--yes`.

        Where nobody can be asked, that is refused, or taken for a yes if the command is
        one that scripts may run `unattended`.
        """
        if options["yes"]:
            return False
        if sys.stdin is None or not sys.stdin.isatty():
            if unattended:
                return False
            raise Stop(f"{question} Nobody can be asked here: say --yes.")
        self._err.write(f"{question} [y/N]", _plain, ending=" ")
        self._err.flush()
        try:
            answer = input()
        except (EOFError, KeyboardInterrupt):
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise Stop(otherwise)
        return True

    def report(
        self, done: str, number: int, refused: list[dict[str, Any]] | None, options: Options
    ) -> int:
        """How many jobs were `done`, or would be in a dry run.

        `refused` is None if none can be.
        """
        dry = options.get("dry_run", False)
        if options["json"]:
            told: dict[str, Any] = {done: number}
            if refused is not None:
                told["refused"] = refused
            return self.say_json({**told, "dry_run": True} if dry else told)
        verb = f"would be {done}" if dry else done
        return self.say(f"{counted(number)} {verb}.") if number or not refused else DONE


def wants_colours(out: OutputWrapper, options: Options) -> bool:
    """`--force-color`, or a terminal where neither `--no-color` nor NO_COLOR says
    otherwise.
    """
    if options.get("force_color"):
        return True
    refused = options.get("no_color") or os.environ.get("NO_COLOR")
    return out.isatty() and not refused and os.environ.get("TERM") != "dumb"


def counted(number: int, most: int | None = None) -> str:
    """`1 job`, `2 jobs`; `2 jobs or more` if no more than `most` = 2 were counted."""
    noun = f"{number:,} job{'' if number == 1 else 's'}"
    return f"{noun} or more" if number == most else noun


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(text: str) -> str:
    return text
