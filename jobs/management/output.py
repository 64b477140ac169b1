"""Commands whose output may have no reader: it is closed, its reader has gone (as with
`| head -1`), or its disk is full.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Output:
    """A stream. Once it can't be written, it takes everything, and keeps `failure`.

    With `stops`, that is an error instead: a BrokenPipeError if its reader has gone.
    """

    def __init__(self, stream: Any, *, stops: bool):
        #: None where the command was started without one.
        self._stream = stream
        self._stops = stops
        #: Why nothing more is written; empty if that is nobody's loss.
        self.failure = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return self._stream is not None and bool(self._stream.isatty())

    def write(self, text: str) -> None:
        self._do("write", text)
        self.flush()

    def flush(self) -> None:
        self._do("flush")

    def _do(self, method: str, *arguments: Any) -> None:
        if self._stream is None:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except OSError as error:
            if self._stops:
                raise
            if not isinstance(error, BrokenPipeError):
                self.failure = error.strerror or type(error).__name__
            silence(self._stream)
            self._stream = None


def silence(stream: Any) -> None:
    """What is left to be written, at the end of the process too, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class OutputCommand(BaseCommand):
    """A command that does its work, whether or not somebody reads what it says.

    If its output could not be written, it says so in the end, with exit status 1.
    """

    #: Whether it ends, by an OSError, where its output can't be written.
    stops_unread = False

    def __init__(
        self, stdout: Any = None, stderr: Any = None, no_color: bool = False, **options: Any
    ):
        self._output = Output(stdout or sys.stdout, stops=self.stops_unread)
        errors = Output(stderr or sys.stderr, stops=False)
        super().__init__(self._output, errors, no_color, **options)  # type: ignore[arg-type]

    def execute(self, *args: Any, **options: Any) -> Any:
        found = super().execute(*args, **options)
        if self._output.failure:
            raise CommandError(
                f"It is done, but not all of its output could be written: {self._output.failure}."
            )
        return found
