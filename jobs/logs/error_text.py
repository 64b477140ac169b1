"""An exception as text for `last_error`, which any database can hold."""

from __future__ import annotations

import textwrap
import traceback
from types import TracebackType
from typing import Any

from jobs.exceptions import JobError
from jobs.text import one_line, storable, visible

#: Longest message and longest text kept, in characters.
MAX_MESSAGE = 2_000
MAX_TEXT = 20_000


def describe(error: BaseException) -> str:
    """`Class: message`, then the traceback; cut in the middle if it is long."""
    return storable(_cut(f"{summary(error)}\n{_frames(error)}", MAX_TEXT))


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it; cut in the middle if it is long."""
    return storable(_cut(_frames(error) or summary(error), MAX_TEXT))


def readable(error: BaseException) -> BaseException:
    """The error, or one that stands for it if its attributes can't be read.

    Whoever asks whether it is of a class, or where it was raised, reads them.
    """
    try:
        error.__class__, error.__traceback__, error.__cause__, error.__context__  # noqa: B018
    except BaseException:
        text = f"{path_of_class(error)}, whose attributes can't be read, was raised."
        trace: Any = BaseException.__getattribute__(error, "__traceback__")
        return JobError(text).with_traceback(trace)
    return error


def path_of_class(error: BaseException) -> str:
    """The dotted path of what was raised."""
    cls = type(error)
    try:
        return storable(_cut(f"{cls.__module__}.{cls.__qualname__}", MAX_MESSAGE))
    except BaseException:  # of its metaclass
        return "builtins.Exception"


def _frames(error: BaseException) -> str:
    try:
        return "".join(
            traceback.format_exception(type(error), error, without_queue(error.__traceback__))
        )
    except BaseException:  # its text can't be rendered, whatever that raised
        try:
            return "".join(traceback.format_tb(error.__traceback__))
        except BaseException:
            return ""


def without_queue(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the job's own first frame on, without the queue's frames."""
    while trace is not None and trace.tb_next is not None and _is_of_queue(trace):
        trace = trace.tb_next
    return trace


def _is_of_queue(trace: TracebackType) -> bool:
    module: str = trace.tb_frame.f_globals.get("__name__", "")
    return module.startswith("jobs.")


def for_log(error: BaseException) -> str:
    """`Class: message` on one line, in which nothing can pass for another log line."""
    return one_line(summary(error))


def traceback_for_log(error: BaseException) -> str:
    """Like `describe`, indented, so that no line of it passes for another log line."""
    return textwrap.indent(visible(describe(error).rstrip(), keep="\n"), "    ")


def summary(error: BaseException) -> str:
    """`Class: message`."""
    try:
        name = str(type(error).__name__)
    except BaseException:  # of its metaclass
        name = "An error without a name"
    try:
        message = str(error)
    except BaseException:
        message = "(the error's text can't be rendered)"
    return storable(_cut(f"{name}: {message}", MAX_MESSAGE))


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = limit // 4
    left_out = f"… {len(text) - limit:,} characters left out …"
    return f"{text[:head]}\n{left_out}\n{text[head - limit :]}"
