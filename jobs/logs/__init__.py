"""Log records that say which job they are about.

For your `LOGGING`: `JobFilter` adds a job's fields to every record, `LineFormatter` and
`JsonFormatter` write them. `about` names the job of what is logged in its body.
"""

from __future__ import annotations

from jobs.logs.context import FIELDS, JobFilter, about, about_the_job, get_logger, learn
from jobs.logs.formatters import JsonFormatter, LineFormatter

__all__ = [
    "FIELDS",
    "JobFilter",
    "JsonFormatter",
    "LineFormatter",
    "about",
    "about_the_job",
    "get_logger",
    "learn",
]
