"""Many objects that differ in their fields alone are stored without an instance for
each, and exactly as `enqueue` stores each. All others go the long way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

import jobs
from jobs.models import Job
from jobs.payloads import vetting
from jobs.signals import enqueueing
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

OF_ITS_OWN = {"id", "run_at", "created_at", "updated_at"}
HOSTILE = "a\"b'c\\d{e},f\tg\nNULL\u00e9\U0001f600%s"


class Nothing(jobs.Performable):
    def perform(self) -> None: ...


class Elsewhere(jobs.Performable):
    name: str
    queue_name = "q" + HOSTILE

    def perform(self) -> None: ...


@dataclass(frozen=True)
class Several(jobs.Performable):
    text: str
    number: int = 0
    more: Any = None
    listed: list[Any] = field(default_factory=list)

    def perform(self) -> None: ...


class Named(Record):
    def display_name(self) -> str:
        return f"number {self.value}"


class Keyed(Record):
    unique_key = "held"


class KeyedByMethod(Record):
    def unique_key(self) -> str:
        return str(self.value)


class Hooked(Record):
    def enqueue(self, job: Any) -> None:
        job.priority = 7


class OfTwoQueues(Record):
    @property
    def queue_name(self) -> str:
        return f"q{self.value}"


class Answers(Record):
    def __getattr__(self, name: str) -> Any:
        if name == "queue_name":
            return f"q{self.value}"
        raise AttributeError(name)


class QueueIsAField(jobs.Performable):
    queue_name: str

    def perform(self) -> None: ...


@dataclass(slots=True)
class Slotted(jobs.Performable):
    value: int

    def perform(self) -> None: ...


class Counts(jobs.Performable):
    text: str

    def __post_init__(self) -> None:
        self.length = len(self.text)

    def perform(self) -> None: ...


class WorksOut(Record):
    @cached_property
    def twice(self) -> Any:
        return self.value * 2


class Sized(Record):
    batch = {"vcpu": 1, "memory": 2048}


def with_(payload: Any, name: str, value: Any) -> Any:
    setattr(payload, name, value)
    return payload


def with_its_cache() -> WorksOut:
    payload = WorksOut(2)
    assert payload.twice == 4
    return payload


PLAIN: dict[str, Callable[[], list[Any]]] = {
    "no field": lambda: [Nothing(), Nothing()],
    "one field": lambda: [Record(1), Record("two"), Record(None), Record(3.5), Record(True)],
    "one object": lambda: [Record(HOSTILE)],
    "hostile text": lambda: [Record(HOSTILE), Record("\0\ud800"), Record({HOSTILE: HOSTILE})],
    "several fields": lambda: [
        Several("a"),
        Several(HOSTILE, -(2**70), Decimal("1.50"), [dt.date(2026, 1, 2), (1, {2})]),
    ],
    "a class's queue": lambda: [Elsewhere("a"), Elsewhere("b")],
    "several classes": lambda: [Record(1), Elsewhere("a"), Nothing(), Record(2), Elsewhere("b")],
    "a cached property that nobody asked for": lambda: [WorksOut(1), WorksOut(2)],
}
OTHERS: dict[str, Callable[[], list[Any]]] = {
    "names": lambda: [Named(1), Named(2)],
    "a unique key": lambda: [Keyed(1)],
    "unique keys": lambda: [KeyedByMethod(1), KeyedByMethod(2)],
    "a hook": lambda: [Hooked(1), Hooked(2)],
    "a computed queue": lambda: [OfTwoQueues(1), OfTwoQueues(2)],
    "a queue that __getattr__ gives": lambda: [Answers(1), Answers(2)],
    "a queue of its own": lambda: [Record(1), with_(Record(2), "queue_name", "mine")],
    "attempts of its own": lambda: [Record(1), with_(Record(2), "max_attempts", 3)],
    "a key of its own": lambda: [Record(1), with_(Record(2), "unique_key", "k")],
    "a field that is a queue": lambda: [QueueIsAField("a"), QueueIsAField("b")],
    "slots": lambda: [Slotted(1), Slotted(2)],
    "what it works out": lambda: [Counts("a"), Counts("bb")],
    "a cached property": lambda: [WorksOut(1), with_its_cache()],
    "sizes": lambda: [Sized(1), Sized(2)],
    "one among others": lambda: [Record(1), Hooked(2), Record(3)],
}


@contextmanager
def counted() -> Any:
    """The numbers of rows that were stored without instances, call by call."""
    store, numbers = store_for(Job), []
    insert = store.insert_alike

    def insert_alike(rows: Any, *, keys: bool) -> Any:
        numbers.append(rows.number)
        return insert(rows, keys=keys)

    with mock.patch.object(store, "insert_alike", insert_alike):
        yield numbers


def rows() -> list[dict[str, Any]]:
    found = Job.objects.order_by("pk").values()
    return [{name: one[name] for name in one if name not in OF_ITS_OWN} for one in found]


def of_instance(job: Job) -> dict[str, Any]:
    left_out = {*OF_ITS_OWN, "_state", "payload"}
    state = {"adding": job._state.adding, "db": job._state.db}
    return {**state, **{name: job.__dict__[name] for name in job.__dict__.keys() - left_out}}


def stored_one_by_one(made: list[Any], options: dict[str, Any]) -> Any:
    instances = [of_instance(jobs.enqueue(payload, **options)) for payload in made]
    found = rows()
    Job.objects.all().delete()
    return instances, found


@pytest.mark.parametrize("options", [{}, {"queue": HOSTILE, "priority": -3}], ids=["", "options"])
@pytest.mark.parametrize("name", [*PLAIN, *OTHERS])
def test_many_are_stored_as_each_by_itself(name, options, settings):
    settings.JOBS = {"QUEUE_ATTRIBUTES": {Elsewhere.queue_name: {"priority": 9}}}
    make = {**PLAIN, **OTHERS}[name]
    made = make()
    instances, expected = stored_one_by_one(make(), options)
    with counted() as numbers:
        found = jobs.enqueue_many(made, **options)
        assert rows() == expected
        assert [of_instance(job) for job in found] == instances
        assert all(job.payload is payload for job, payload in zip(found, made, strict=True))
        for job, payload in zip(found, made, strict=True):
            row = Job.objects.get(pk=job.pk)
            assert row.handler == job.handler
            assert type(row.payload) is type(payload)
            assert abs(row.created_at - timezone.now()) < dt.timedelta(minutes=1)
            assert row.run_at == row.created_at
        Job.objects.all().delete()
        assert jobs.enqueue_many(iter(make()), returning=False, **options) == len(made)
        assert rows() == expected
    goes = name in PLAIN and store_for(Job).inserts_alike
    assert numbers == ([len(made)] * 2 if goes else [])


@contextmanager
def a_receiver() -> Any:
    def hear(sender: Any, job: Any, **kwargs: Any) -> None:
        job.priority = 4

    enqueueing.connect(hear)
    try:
        yield
    finally:
        enqueueing.disconnect(hear)


class Prioritizes(jobs.Plugin):
    def before_enqueue(self, job: Any) -> None:
        job.priority = 4


@pytest.mark.parametrize(
    ("jobs_setting", "context"),
    [
        ({}, a_receiver),
        ({"PLUGINS": [f"{__name__}.Prioritizes"]}, nullcontext),
        ({"DELAY_JOBS": lambda job: True}, nullcontext),
    ],
    ids=["receiver", "plugin", "DELAY_JOBS"],
)
def test_whoever_has_a_say_has_it_for_each(
    jobs_setting: dict[str, Any], context: Callable[[], AbstractContextManager[None]], settings
):
    settings.JOBS = jobs_setting
    with context(), counted() as numbers:
        jobs.enqueue_many([Record(1), Record(2)])
        jobs.enqueue_many([Record(3)], returning=False)
    assert numbers == []
    expected = 0 if "DELAY_JOBS" in jobs_setting else 4
    assert [job.priority for job in Job.objects.all()] == [expected] * 3


def test_what_looks_at_an_option_is_asked_for_each_that_has_it(monkeypatch):
    seen: list[Any] = []

    def refuse(job: Any) -> None:
        seen.append(job.payload)
        if getattr(job.payload, "colour", None) == "red":
            raise ValueError("not red")

    class Coloured(Record):
        colour = "red"

    monkeypatch.setitem(vetting.VETS, "colour", refuse)
    with pytest.raises(ValueError, match="not red"):
        jobs.enqueue_many([Record(1), Coloured(2)])
    with pytest.raises(ValueError, match="not red"):
        jobs.enqueue(Coloured(2))
    assert not Job.objects.exists()
    seen.clear()
    jobs.enqueue_many([Record(number) for number in range(9)])
    assert seen == ([Record(0)] if store_for(Job).inserts_alike else list(map(Record, range(9))))


class Unstorable: ...


@pytest.mark.parametrize("returning", [True, False])
@pytest.mark.parametrize(
    "bad", [object(), Record, Record(Unstorable()), Record(Job()), Record(2**20_000)]
)
def test_one_that_cannot_be_stored_is_refused_as_by_itself(bad, returning):
    with pytest.raises(Exception) as alone:  # noqa: PT011 (whatever it is)
        jobs.enqueue(bad)
    with pytest.raises(type(alone.value)) as among:
        jobs.enqueue_many([Record(1), bad, Record(2)], returning=returning)
    assert str(among.value) == str(alone.value)
    assert not Job.objects.exists()


def test_one_that_is_too_large_is_refused_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(type(store_for(Job)), "largest_row", 100_000)
    for place in range(3):
        payloads = [Record("x" * (120_000 if number == place else 10)) for number in range(3)]
        with pytest.raises(ValueError, match="at most 100,000 can be stored"):
            jobs.enqueue_many(payloads)
    assert not Job.objects.exists()


@pytest.mark.skipif(connection.vendor not in ("postgresql", "sqlite"), reason="SQL computes it")
def test_what_the_database_computes_goes_the_long_way():
    with counted() as numbers:
        jobs.enqueue_many([Record(1), Record(2)], created_at=Now())
    assert numbers == []
    assert Job.objects.count() == 2


def test_jobs_due_later_are_scheduled():
    later = timezone.now() + dt.timedelta(hours=1)
    with counted() as numbers:
        found = jobs.enqueue_many([Record(1), Nothing()], run_at=later)
    assert [(job.state, job.run_at) for job in found] == [("scheduled", later)] * 2
    assert {job.state for job in Job.objects.all()} == {"scheduled"}
    assert sum(numbers) in (0, 2)


def test_instances_share_nothing_that_one_of_them_changes():
    first, second = jobs.enqueue_many([Record(1), Record(2)])
    first.priority = 5
    first._state.db = "another"
    assert (second.priority, second._state.db) == (0, "default")
    first._state.db = "default"
    first.save()
    assert sorted(Job.objects.values_list("priority", flat=True)) == [0, 5]
