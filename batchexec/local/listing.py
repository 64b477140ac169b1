"""Filters, orders and pages the jobs of ListJobs.

The rules are those of ListJobs in the API reference of AWS Batch.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from batchexec.local.errors import refuse
from batchexec.local.index import Entry
from batchexec.local.job import STATUSES, Job

MAX_FILTERED = 100
MAX_BY_STATUS = 1000

Key = tuple[str, int]


def select(entries: Iterable[Entry], request: Mapping[str, Any]) -> list[Entry]:
    """The entries of the jobs that a request asks for, newest first.

    Without a filter, these are the jobs of `jobStatus`, by default RUNNING. With the
    one filter that is allowed, jobs of every status are listed and `jobStatus` is
    ignored, except with SHARE_IDENTIFIER.
    """
    status = request.get("jobStatus")
    filters = request.get("filters") or []
    if status is not None and status not in STATUSES:
        raise refuse(f"jobStatus must be one of {', '.join(STATUSES)}, not {status}.")
    if len(filters) > 1:
        raise refuse("Only one filter may be given.")
    if not filters:
        found = [entry for entry in entries if entry.status == (status or "RUNNING")]
    else:
        name = filters[0].get("name")
        matches = _filter(name, filters[0].get("values") or [])
        found = [entry for entry in entries if matches(entry.job)]
        if name == "SHARE_IDENTIFIER" and status:
            found = [entry for entry in found if entry.status == status]
    by_name = bool(filters) and filters[0]["name"] == "JOB_NAME"
    return sorted(found, key=lambda entry: _key(entry, by_name))


def page(entries: list[Entry], request: Mapping[str, Any]) -> tuple[list[Entry], str | None]:
    """A page, and the token of the next page if there is one.

    Jobs that are submitted in between don't shift the pages.
    """
    filtered = bool(request.get("filters"))
    by_name = filtered and request["filters"][0]["name"] == "JOB_NAME"
    limit = MAX_FILTERED if filtered else MAX_BY_STATUS
    wanted = request.get("maxResults") or limit
    if not isinstance(wanted, int) or wanted < 1:
        raise refuse(f"maxResults must be a positive number, not {wanted}.")
    if token := request.get("nextToken"):
        last = _read_token(token)
        entries = [entry for entry in entries if _key(entry, by_name) > last]
    size = min(wanted, limit)
    following = _token(_key(entries[size - 1], by_name)) if len(entries) > size else None
    return entries[:size], following


def _key(entry: Entry, by_name: bool) -> Key:
    return (entry.job.name.lower() if by_name else "", -entry.job.number)


def _token(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read_token(token: Any) -> Key:
    try:
        name, number = json.loads(base64.urlsafe_b64decode(token))
        return str(name), int(number)
    except (ValueError, TypeError):
        raise refuse("nextToken is not one that ListJobs gave.") from None


def _filter(name: Any, values: list[str]) -> Callable[[Job], bool]:
    if not values:
        raise refuse(f"The filter {name} has no values.")
    if name == "JOB_NAME":
        return lambda job: any(_like(job.name.lower(), value.lower()) for value in values)
    if name == "JOB_DEFINITION":
        return lambda job: any(_defines(value, job) for value in values)
    if name == "SHARE_IDENTIFIER":
        return lambda job: job.share_identifier in values
    if name in ("BEFORE_CREATED_AT", "AFTER_CREATED_AT"):
        try:
            moment = int(values[0])
        except ValueError:
            raise refuse(f"The filter {name} takes milliseconds since 1970, as a string.") from None
        if name == "BEFORE_CREATED_AT":
            return lambda job: job.created_at < moment
        return lambda job: job.created_at > moment
    raise refuse(f"There is no filter {name!r}.")


def _defines(value: str, job: Job) -> bool:
    """Whether `value` is the job definition's ARN, name and revision, or pattern."""
    arn = job.definition_arn
    return value == arn or arn.endswith(f"/{value}") or _like(job.definition, value)


def _like(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
