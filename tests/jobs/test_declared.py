"""What a job class declares is what the queue does, or it is refused."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import pytest

import jobs
from jobs.models import Job
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

WRONG: list[tuple[str, Any]] = [
    ("max_attempts", "many"),
    ("max_attempts", 0),
    ("max_attempts", 2.5),
    ("max_attempts", True),
    ("max_run_time", "soon"),
    ("max_run_time", -1),
    ("max_run_time", float("nan")),
    ("max_run_time", dt.timedelta(days=-1)),
    ("queue_name", 3),
    ("destroy_failed_jobs", "no"),
    ("destroy_failed_jobs", 1),
]


class Declares(Record):
    """Gets an option on its class by each test."""


def declaring(name: str, value: Any, monkeypatch: Any) -> Declares:
    from jobs.payloads import shapes

    monkeypatch.setattr(Declares, name, value, raising=False)
    shapes._shapes.pop(Declares, None)
    return Declares()


@pytest.fixture(autouse=True)
def _forget_its_shape():
    from jobs.payloads import shapes

    yield
    shapes._shapes.pop(Declares, None)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_option_that_makes_no_sense_is_refused_when_it_is_enqueued(monkeypatch, name, value):
    on_instance = Record()
    setattr(on_instance, name, value)
    for payload in (declaring(name, value, monkeypatch), on_instance):
        with pytest.raises((TypeError, ValueError), match=name.partition("_")[0]) as refused:
            jobs.enqueue(payload)
        assert "\n" not in str(refused.value)
    assert not Job.objects.exists()


async def asynchronous(self: Any) -> int:
    return 1


def synchronous(self: Any) -> int:
    return 1


@pytest.mark.parametrize("name", ["max_attempts", "max_run_time", "queue_name"])
@pytest.mark.parametrize("method", [synchronous, asynchronous, staticmethod(synchronous)])
def test_an_attribute_that_is_a_method_is_refused(monkeypatch, name, method):
    with pytest.raises(TypeError, match=name.partition("_")[0]):
        jobs.enqueue(declaring(name, method, monkeypatch))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 1),
        ("max_attempts", None),
        ("max_attempts", property(lambda self: 2)),
        ("max_attempts", functools.cached_property(lambda self: 2)),
        ("max_run_time", dt.timedelta(minutes=1)),
        ("max_run_time", 0.5),
        ("destroy_failed_jobs", False),
        ("destroy_failed_jobs", asynchronous),
        ("queue_name", "mail"),
    ],
)
def test_an_option_that_makes_sense_is_taken(monkeypatch, name, value):
    assert jobs.enqueue(declaring(name, value, monkeypatch)).pk


def generator(self: Any, *arguments: Any) -> Any:
    yield 1


async def asynchronous_generator(self: Any, *arguments: Any) -> Any:
    yield 1


class Callable:
    def __call__(self, *arguments: Any) -> Any:
        yield 1


@functools.wraps(generator)
def decorated(self: Any) -> Any:
    return generator(self)


HIDDEN = {
    "partialmethod": functools.partialmethod(generator, 1),
    "partial": functools.partial(generator, None),
    "partial of a partial": functools.partial(functools.partial(generator, None), 1),
    "partialmethod of a partial": functools.partialmethod(functools.partial(generator, 1)),
    "decorator": decorated,
    "decorated partialmethod": functools.partialmethod(decorated),
    "staticmethod": staticmethod(generator),
    "classmethod": classmethod(generator),
    "asynchronous": functools.partialmethod(asynchronous_generator),
    "callable object": Callable(),
    "cached": functools.lru_cache(generator),
    "singledispatchmethod": functools.singledispatchmethod(generator),
}


# Python 3.13 warns whoever looks up a partial on an instance.
@pytest.mark.filterwarnings("ignore:functools.partial:FutureWarning")
@pytest.mark.parametrize("name", ["perform", "before", "failure", "reschedule_at"])
@pytest.mark.parametrize("how", HIDDEN)
def test_a_generator_is_refused_however_it_is_wrapped(monkeypatch, name, how):
    with pytest.raises(TypeError, match="is a generator"):
        jobs.enqueue(declaring(name, HIDDEN[how], monkeypatch))
    assert not Job.objects.exists()
