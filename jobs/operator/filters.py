"""Which jobs: the conditions that the admin, the commands and the Python API share."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from jobs.exceptions import JobError
from jobs.states import State
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.store.base import Store

#: Longest text, in characters, because databases limit patterns.
LONGEST_TEXT = 255
LONGEST_PATTERN = 2 * LONGEST_TEXT
LONGEST = dt.timedelta(days=36_500)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: Not names: what is around them on a line says nothing.
SPACED = ("state", "failed_within", "waiting_longer_than", "text")
#: A text is looked for in these columns.
SEARCHED = "name|queue|locked_by|unique_key|last_error|handler"


class BadFilter(JobError, ValueError):
    """Conditions that can't be understood, or that no job can meet; its text says."""


@dataclass(frozen=True)
class Filter:
    """Conditions that a job must all meet; those that are None say nothing.

    Raises BadFilter for values of other types, and for conditions that contradict each
    other.
    """

    #: One of `jobs.states.State`.
    state: str | None = None
    queue: str | None = None
    #: A part of the job's name, which is that of its class unless it has another, in
    #: any case.
    name: str | None = None
    #: It failed for good no longer ago than this.
    failed_within: dt.timedelta | None = None
    #: It is due and not begun, and has been for longer than this.
    waiting_longer_than: dt.timedelta | None = None
    unique_key: str | None = None
    #: A part of the name, the queue, the worker, the unique key, the error or the
    #: payload, in any case.
    text: str | None = None
    #: Of one job. An id that none can have finds none.
    id: Any = None
    #: The error of a group of failed jobs: `Failures.key`.
    error: str | None = None
    #: The name of the worker that holds it now.
    worker: str | None = None

    def __post_init__(self) -> None:
        for name in ("state", "queue", "name", "unique_key", "text", "error", "worker"):
            _check_text(name, getattr(self, name))
        for name in ("failed_within", "waiting_longer_than"):
            _check_length(name, getattr(self, name))
        if self.state is not None and self.state not in State.values:
            known = ", ".join(State.values)
            raise BadFilter(f"{self.state!r} is not a state of a job: use {known}.")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        for (one, its), (other, others) in combinations(self._implied().items(), 2):
            if not set(its) & set(others):
                raise BadFilter(f"No job {one} and {other}: leave one of the two out.")

    def _implied(self) -> dict[str, tuple[str, ...]]:
        """What each condition says of a job, and the states in which that can be."""
        found: dict[str, tuple[str, ...]] = {}
        if self.state is not None:
            found[f"is {self.state}"] = (self.state,)
        if self.failed_within is not None or self.error is not None:
            found["has failed"] = (State.FAILED,)
        if self.waiting_longer_than is not None:
            found["waits for its execution"] = (State.READY, State.SCHEDULED)
        if self.worker is not None:
            found["is held by a worker"] = (State.RUNNING,)
        return found

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Filter:
        """Of texts, as in a URL, by the fields' names; lengths of time are like `90s`,
        `30m`, `12h` or `7d`. Empty ones say nothing.

        Names are taken as they are: `"mail "` is another queue than `"mail"`. Raises
        BadFilter for what can't be understood.
        """
        found: dict[str, Any] = {}
        for field in fields(cls):
            text = given.get(field.name, "")
            text = text.strip() if field.name in SPACED else text
            if text:
                is_length = field.name in ("failed_within", "waiting_longer_than")
                found[field.name] = length_of_time(text) if is_length else text
        return cls(**found)

    def given(self) -> dict[str, str]:
        """The texts that `parse` understands, without those that say nothing."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_text(value) for name, value in found.items() if value is not None}

    def __str__(self) -> str:
        """For people: `state failed, queue mail`; `all jobs` without any condition."""
        parts = [f"{name.replace('_', ' ')} {value}" for name, value in self.given().items()]
        return ", ".join(parts) or "all jobs"

    def but(self, **changes: Any) -> Filter:
        return replace(self, **changes)

    @property
    def states(self) -> tuple[str, ...]:
        """The states in which a job can meet it; empty if any."""
        return min(self._implied().values(), key=len, default=())

    def on_index(self, store: Store[Any], at: dt.datetime | None = None) -> dict[str, Any]:
        """The conditions that an index serves, but for the queue.

        Lengths of time end `at` that instant, by default now.
        """
        found: dict[str, Any] = {}
        if self.id is not None:
            pk = store.id_of(self.id)
            found["pk__in"] = [] if pk is None else [pk]
        if len(self.states) == 1:
            found["state"] = str(self.states[0])
        elif self.states:
            found["state__in"] = [str(state) for state in self.states]
        if self.failed_within is not None:
            found["finished_at__gte"] = (at or store.now()) - self.failed_within
        if self.waiting_longer_than is not None:
            found["run_at__lte"] = (at or store.now()) - self.waiting_longer_than
        if self.unique_key is not None:
            found["unique_key"] = self.unique_key
        if self.error is not None:
            found["error_key"] = self.error
        if self.worker is not None:
            found["locked_by"] = self.worker
        return found

    def on_rows(self) -> dict[str, Any]:
        """The conditions for which rows must be read."""
        found: dict[str, Any] = {}
        if self.name is not None:
            found["name__icontains"] = self.name
        if self.text is not None:
            # A payload is kept as JSON, which has escapes for some characters.
            escaped = json.dumps(self.text)[1:-1]
            texts = [self.text, escaped] if len(escaped) <= LONGEST_PATTERN else [self.text]
            found[f"{SEARCHED}__icontains"] = list(dict.fromkeys(texts))
        return found

    def conditions(self, store: Store[Any], at: dt.datetime | None = None) -> dict[str, Any]:
        """All of them, as a store takes them; see `on_index`."""
        queue = {} if self.queue is None else {"queue": self.queue}
        return {**self.on_index(store, at), **queue, **self.on_rows()}


def length_of_time(text: str) -> dt.timedelta:
    """Raises BadFilter, which says what it accepts."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    found = dt.timedelta(seconds=int(match[1]) * UNITS[match[2]]) if match else None
    if found is None or not dt.timedelta(0) < found <= LONGEST:
        raise BadFilter(
            f"{text[:LONGEST_TEXT]!r} is not a length of time: use 90s, 30m, 12h or 7d, "
            "up to 100 years."
        )
    return found


def _check_text(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise BadFilter(f"{name} must be a text, not {value!r}.")
    if not value:
        raise BadFilter(f"{name} is empty: leave it out, or say what to look for.")
    if len(value) > LONGEST_TEXT:
        raise BadFilter(f"{name} is longer than {LONGEST_TEXT} characters.")
    if value != storable(value):
        raise BadFilter(f"{name} has characters that no job can have.")


def _check_length(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dt.timedelta):
        raise BadFilter(f"{name} must be a timedelta, not {value!r}.")
    if not dt.timedelta(0) < value <= LONGEST:
        raise BadFilter(f"{name} must be a length of time of up to 100 years.")


def _as_text(value: Any) -> str:
    if not isinstance(value, dt.timedelta):
        return str(value)
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}"
