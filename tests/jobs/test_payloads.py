from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import uuid
from dataclasses import dataclass, field

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

import jobs
from jobs import payloads
from jobs.payloads import codec
from posts.models import Post
from tests.handlers import reloaded
from tests.samples import Record, Undecorated

UTC = dt.timezone.utc


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
special = (
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.dates()
    | st.times()
    | st.times(timezones=st.timezones())
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary()
    | st.builds(ObjectId)
    | st.sets(st.integers() | st.text())
)
hashable = st.text() | st.integers() | st.dates()
values = st.recursive(
    plain | special,
    lambda inner: st.lists(inner) | st.dictionaries(hashable, inner) | st.lists(inner).map(tuple),
    max_leaves=10,
)


@given(values)
def test_what_is_stored_comes_back_with_its_type(value):
    stored = json.loads(json.dumps(codec.encode(value), allow_nan=False))
    back = codec.decode(stored)
    assert back == value
    assert typed(back) == typed(value)


def typed(value):
    """The value with the type of everything in it, so that 1, 1.0 and True are three
    things.
    """
    kind = type(value)
    if isinstance(value, dict):
        return kind, {typed(key): typed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return kind, [typed(item) for item in value]
    if isinstance(value, set):
        return kind, frozenset(typed(item) for item in value)
    return kind, value


@pytest.mark.parametrize(
    "value",
    [
        {"$datetime": "x"},
        {"$model": 1, "b": 2},
        {"$": 1},
        {1: "a"},
        {(1, 2): {"$set": 3}},
        {None: 1},
    ],
)
def test_a_dictionary_is_never_mistaken_for_something_else(value):
    assert codec.decode(json.loads(json.dumps(codec.encode(value)))) == value


def test_infinity_and_not_a_number_survive():
    assert codec.decode(codec.encode(math.inf)) == math.inf
    assert math.isnan(codec.decode(codec.encode(math.nan)))


@pytest.mark.parametrize(
    "value", [object(), print, Record, 1j, range(3), frozenset([1]), {1: object()}, bytearray(b"x")]
)
def test_what_cannot_be_stored_is_a_type_error(value):
    with pytest.raises(TypeError, match="can't be stored in a job"):
        codec.encode(value)


@pytest.mark.django_db
def test_a_model_instance_is_stored_by_reference_and_read_again():
    post = Post.objects.create(title="before")
    handler = payloads.dump(Record({"posts": [post]}))
    assert "before" not in handler
    Post.objects.update(title="after")
    signature = payloads.sign(handler)
    assert payloads.load(handler, signature).value["posts"][0].title == "after"
    Post.objects.all().delete()
    with pytest.raises(jobs.DeserializationError, match="doesn't exist"):
        payloads.load(handler, signature)
    with pytest.raises(ValueError, match=r"Record.value: An unsaved posts.Post"):
        payloads.dump(Record(Post(title="new")))


def test_subclasses_are_dataclasses_decorated_or_not():
    assert Undecorated(1).b == []
    assert Undecorated(a=1, b=[2]) == reloaded(Undecorated(1, [2]))
    assert Undecorated(1).b is not Undecorated(1).b


@dataclass
class Options(jobs.Performable):
    number: int = 0
    cached: str = field(default="", init=False)
    max_attempts = 3

    def perform(self) -> None: ...


def test_options_set_on_an_instance_are_stored_and_nothing_else_may_be_set():
    payload = Options(5)
    payload.max_attempts = 7
    payload.max_run_time = dt.timedelta(minutes=2)
    back = reloaded(payload)
    assert (back.number, back.max_attempts, back.max_run_time, back.cached) == (
        5,
        7,
        dt.timedelta(minutes=2),
        "",
    )
    payload.cached = "not stored"
    with pytest.raises(TypeError, match=r"Options\.cached would not come back"):
        payloads.dump(payload)
    assert "options" not in payloads.dump(Options(5))


def test_a_class_that_a_worker_cannot_import_is_refused():
    class Local(jobs.Performable):
        def perform(self) -> None: ...

    with pytest.raises(TypeError, match="can't be imported by a worker"):
        payloads.dump(Local())


@pytest.mark.parametrize(
    "value",
    [uuid.uuid4(), decimal.Decimal("1.10"), b"\x00\xff", (1, (2,)), {3, 1, 2}, dt.time(1, 2, 3, 4)],
)
def test_a_handler_is_ascii_json(value):
    handler = payloads.dump(Record(value))
    assert handler.isascii()
    assert json.loads(handler)["class"] == "tests.samples.Record"
    assert payloads.load(handler, payloads.sign(handler)).value == value
