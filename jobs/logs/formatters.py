"""Records as text for people, or as JSON for programs. Each is one line, or its further
lines are indented: nothing that a job logs passes for a record of somebody else.

A library's formatter would lose a record whose extra attributes can't be encoded, and
write NaN, which isn't JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from types import TracebackType
from typing import Any, cast

from jobs.logs.context import FIELDS, fill
from jobs.logs.error_text import traceback_for_log
from jobs.text import one_line, storable, visible

LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
#: The attributes that logging gives a record: all others are somebody's `extra`.
STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", *FIELDS})

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """Text. What a job logs begins with `[job <id>]`, if it doesn't name the job."""

    def __init__(self, fmt: str | None = LINE, *args: Any, **options: Any):
        super().__init__(fmt, *args, **options)

    def formatMessage(self, record: logging.LogRecord) -> str:
        fill(record)
        text = _indented(record.message)
        job_id: Any = record.__dict__["job_id"]
        if job_id and f"id={job_id}," not in text:
            text = f"[job {one_line(job_id)}] {text}"
        record.message = text
        return super().formatMessage(record)

    def formatException(self, ei: ExcInfo) -> str:
        return "" if ei[1] is None else traceback_for_log(ei[1])

    def formatStack(self, stack_info: str) -> str:
        return f"    {_indented(stack_info)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `message`, the job's
    fields as far as they are known, everybody's `extra`, `traceback`, `stack`.

    An attribute that can't be JSON is its text.
    """

    def format(self, record: logging.LogRecord) -> str:
        fill(record)
        own = record.__dict__
        shown = {
            "time": _instant(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        shown.update((name, own[name]) for name in FIELDS if own[name] != "")
        shown.update(
            (f"extra_{name}" if name in shown else name, value)
            for name, value in own.items()
            if name not in STANDARD
        )
        error = record.exc_info[1] if record.exc_info else None
        if record.exc_text or error is not None:
            shown["traceback"] = record.exc_text or traceback_for_log(cast("BaseException", error))
        if record.stack_info:
            shown["stack"] = record.stack_info
        return f"{{{', '.join(f'{_json(str(name))}: {_json(shown[name])}' for name in shown)}}}"


def _indented(text: str) -> str:
    return visible(storable(text), keep="\n\t").replace("\n", "\n    ")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # its arguments don't fit
        return f"{one_line(record.msg)} {one_line(record.args)}"


def _instant(seconds: float) -> str:
    utc = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: Any) -> str:
    try:
        if isinstance(value, str):
            return json.dumps(storable(str(value)))
        return json.dumps(value, allow_nan=False, default=one_line)
    except Exception:
        return json.dumps(one_line(value))
