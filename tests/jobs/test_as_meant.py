"""What `enqueue` takes is performed as meant, or refused with the field's name."""

from __future__ import annotations

import datetime as dt
import functools
import json
import threading
from dataclasses import KW_ONLY, InitVar, dataclass, field
from enum import Enum, IntEnum
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

import jobs
from jobs import payloads
from jobs.models import Job
from jobs.payloads import handler as handlers
from jobs.payloads.shapes import shape_of
from posts.models import Post
from tests.handlers import reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Base(jobs.Performable):
    def perform(self) -> None: ...


@dataclass
class Plain(Base):
    a: Any = None
    b: Any = field(default_factory=list)


@dataclass(frozen=True)
class Frozen(jobs.Performable):
    a: Any = None

    def perform(self) -> None: ...


class FrozenToo(Frozen):
    b: Any = 2


@dataclass
class Slotted(Base):
    __slots__ = ("a",)
    a: Any


@dataclass
class KeywordsOnly(Base):
    _: KW_ONLY
    a: Any
    kind: ClassVar[str] = "x"


@dataclass
class Multiplies(Base):
    amount: int

    def __post_init__(self) -> None:
        self.amount *= 100


@dataclass
class Strips(Base):
    text: str

    def __post_init__(self) -> None:
        self.text = self.text.strip()


@dataclass
class Totals(Base):
    amounts: list[int]
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = sum(self.amounts)


@dataclass
class Opened(Base):
    path: InitVar[str]
    text: str = ""

    def __post_init__(self, path: str) -> None:
        self.text = f"what was in {path}"


@dataclass
class Optional(Base):
    a: Any = 1
    loud: InitVar[bool] = False
    text: str = ""

    def __post_init__(self, loud: bool) -> None:
        if loud:
            self.text = "LOUD"


@dataclass
class Shouts(Base):
    text: str = ""
    loud: InitVar[bool] = False

    def __post_init__(self, loud: bool) -> None:
        self.volume = 11 if loud else 1


class OwnInit(Base):
    def __init__(self, a: Any):
        self.a = a


@dataclass
class OwnInitOfFields(Base):
    a: Any
    b: Any

    def __init__(self, b: Any, a: Any = 0):
        self.a, self.b = a, b


@dataclass
class Doubles(Base):
    a: Any

    def __init__(self, a: Any):
        self.a = a * 2


@dataclass
class Converts(Base):
    a: Any

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value if value is None else [value])


@dataclass
class Computed(Base):
    a: int = 0

    @property
    def a(self) -> int:  # noqa: F811
        return self._a * 2

    @a.setter
    def a(self, value: int) -> None:
        self._a = value if isinstance(value, int) else 0


class Meta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made.a = f"{made.a}!"
        return made


@dataclass
class Made(Base, metaclass=Meta):
    a: Any


@dataclass
class Locks(Base):
    a: Any = None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()


@dataclass
class Lazy(Base):
    a: Any = None

    @functools.cached_property
    def client(self) -> object:
        return object()


@dataclass
class Reads(Base):
    post: Any
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = self.post.title


class Text(str):
    pass


class Colour(Enum):
    RED = 1


class Number(IntEnum):
    ONE = 1


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
BERLIN = ZoneInfo("Europe/Berlin")
TWICE = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [[value], (value,), {"a": value}, {level: value}][level % 4]
    return value


class OfAnotherLibrary(dt.tzinfo):
    def __init__(self, name: str):
        self.name = name

    def utcoffset(self, when: Any) -> dt.timedelta:
        return dt.timedelta(0)

    def tzname(self, when: Any) -> str:
        return self.name

    def dst(self, when: Any) -> None:
        return None


@pytest.mark.parametrize(
    "payload",
    [
        Plain(1, [2]),
        Frozen("a"),
        FrozenToo("a", 3),
        KeywordsOnly(a=1),
        Strips("  a "),
        Totals([1, 2]),
        Optional(5),
        Shouts("a"),
        OwnInitOfFields(1, 2),
    ],
)
def test_an_object_that_comes_back_equal_is_stored(payload):
    for _ in range(2):
        assert vars(reloaded(payload)) == vars(payload)
        assert type(reloaded(payload)) is type(payload)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Multiplies(5), "amount"),
        (Opened("x"), "Opened"),
        (Optional(1, True), None),
        (Shouts("a", True), "volume"),
        (OwnInit(1), "OwnInit"),
        (Doubles(2), "a"),
        (Converts(1), "a"),
        (Computed(1), "a"),
        (Made("a"), "a"),
        (Locks(), "lock"),
    ],
)
def test_an_object_that_comes_back_different_is_a_type_error_that_names_the_field(payload, name):
    if name is None:  # only the fields count, and they come back
        assert reloaded(payload).text == "LOUD"
        return
    for _ in range(2):
        with pytest.raises(TypeError, match=name):
            jobs.enqueue(payload)
        with pytest.raises(TypeError, match=name):
            jobs.enqueue_many([Plain(), payload])
    assert not Job.objects.exists()


@pytest.mark.parametrize("payload", [Plain(), Frozen(), Totals([1]), Slotted(1)])
@pytest.mark.parametrize("name", ["extra", "perform", "reschedule_at", "total"])
def test_an_attribute_that_is_no_field_is_refused_unless_the_object_makes_it(payload, name):
    payloads.dump(payload)
    before = dict(vars(payload))
    object.__setattr__(payload, name, 7)
    try:
        with pytest.raises(TypeError, match=name):
            payloads.dump(payload)
    finally:
        vars(payload).clear()
        vars(payload).update(before)
    payloads.dump(payload)


def test_a_unique_key_that_was_set_on_the_object_is_stored_with_it():
    payload = Plain()
    payload.unique_key = "k"
    assert jobs.enqueue(payload).unique_key == "k"
    assert reloaded(payload).unique_key == "k"


def test_what_an_object_worked_out_for_itself_is_worked_out_again():
    payload = Lazy()
    assert payload.client
    assert "client" not in vars(reloaded(payload))


def test_an_instance_is_not_read_again_to_prove_that_an_object_comes_back(
    django_assert_num_queries,
):
    post = Post.objects.create(title="t")
    payload = Reads(post)
    with django_assert_num_queries(0):
        payloads.dump(payload)
    payload.title = "another"
    with pytest.raises(TypeError, match=r"Reads\.title"):
        payloads.dump(payload)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Text("a"),
        Colour.RED,
        Number.ONE,
        CYCLE,
        nested(102),
        10**5000,
        {"a": {1: Text("b")}},
        dt.datetime(2026, 1, 1, tzinfo=OfAnotherLibrary("CET")),
        dt.time(1, tzinfo=OfAnotherLibrary("CET")),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(microseconds=1))),
        type("Day", (dt.date,), {})(2026, 1, 1),
        (x for x in ()),
        NotImplemented,
        ...,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_would_come_back_different_is_a_type_error_that_names_the_field(value):
    with pytest.raises(TypeError, match=r"^Plain\.a: "):
        jobs.enqueue(Plain(value))
    with pytest.raises(TypeError, match=r"^Plain\.a: "):
        jobs.enqueue_many([Plain(), Plain(value)])
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "value",
    [
        nested(100),
        10**4000,
        -(10**4000),
        "\udcff\0é\u2028",
        float("inf"),
        -0.0,
        {"": None, "$": 1},
        {1: 1, "1": 2, None: 3, 1.5: 4, (1, b"a"): 5},
        set(),
        [[], {}, (), b""],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_at_the_limits_comes_back_as_it_was(value):
    assert repr(reloaded(Plain(value)).a) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        TWICE,
        TWICE.replace(fold=1),
        TWICE.replace(tzinfo=None, fold=1),
        TWICE.replace(tzinfo=dt.timezone.utc, fold=1),
        TWICE.timetz(),
        TWICE.replace(fold=1).timetz(),
        dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("UTC")),
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=9))),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=-1))),
    ],
)
def test_a_time_zone_and_which_of_two_equal_times_it_is_survive(value):
    back = reloaded(Plain(value)).a
    assert (repr(back), back.fold, back.utcoffset()) == (repr(value), value.fold, value.utcoffset())


def test_the_utc_of_another_library_comes_back_as_pythons():
    value = dt.datetime(2026, 1, 1, tzinfo=OfAnotherLibrary("UTC"))
    assert (
        repr(reloaded(Plain(value)).a)
        == "datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"
    )


def test_a_plain_class_is_proven_once_and_any_other_object_each_time(monkeypatch):
    read = handlers.read
    reads = []

    def counted(*args: Any) -> Any:
        reads.append(args)
        return read(*args)

    monkeypatch.setattr(handlers, "read", counted)
    shape_of(Plain).proven = False
    jobs.enqueue_many([Plain(number) for number in range(50)])
    assert len(reads) == 1
    jobs.enqueue_many([Strips("a") for number in range(5)])
    assert len(reads) == 6


def test_a_class_that_its_name_does_not_lead_to_is_refused(monkeypatch):
    plain = Plain(1)
    monkeypatch.setitem(globals(), "Plain", Frozen)
    monkeypatch.setattr("jobs.payloads.shapes._shapes", {})
    with pytest.raises(TypeError, match="names something else than the class"):
        payloads.dump(plain)


@dataclass
class Sets(Base):
    name: str = ""
    value: Any = None

    def enqueue(self, job: Any) -> None:
        setattr(job, self.name, self.value)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("run_at", "tomorrow", TypeError),
        ("run_at", None, TypeError),
        ("run_at", dt.datetime.min, ValueError),
        ("priority", "high", TypeError),
        ("priority", 1.0, TypeError),
        ("priority", 2**40, ValueError),
        ("queue", 5, TypeError),
        ("queue", "a\0", ValueError),
        ("queue", "x" * 300, ValueError),
        ("unique_key", 7, TypeError),
        ("unique_key", "x" * 300, ValueError),
        ("payload", "text", TypeError),
        ("handler", "{}", TypeError),
        ("signature", "x", TypeError),
        ("state", "failed", TypeError),
        ("attempts", 7, TypeError),
        ("epoch", 7, TypeError),
        ("locked_by", "me", TypeError),
        ("runner", "me", TypeError),
        ("handed_over", True, TypeError),
        ("heartbeat_at", timezone.now(), TypeError),
        ("last_error", "x", TypeError),
    ],
)
def test_what_the_enqueue_hook_sets_is_checked_like_an_argument(name, value, error):
    with pytest.raises(error, match=name if name != "payload" else "str"):
        jobs.enqueue(Sets(name, value))
    with pytest.raises(error):
        jobs.enqueue_many([Plain(), Sets(name, value)])
    if name not in ("payload", "run_at", "priority", "queue", "unique_key"):
        with pytest.raises(TypeError, match=name):
            jobs.enqueue(Plain(), **{name: value})
    assert not Job.objects.exists()


def test_what_the_enqueue_hook_may_set_is_stored():
    naive = dt.datetime(2030, 1, 1)
    job = jobs.enqueue(Sets("run_at", naive))
    assert Job.objects.get(pk=job.pk).run_at == timezone.make_aware(naive)
    assert Job.objects.get(pk=job.pk).state == "scheduled"
    assert jobs.enqueue(Sets("name", "a\0")).name == "a\\x00"
    assert jobs.enqueue(Sets("priority", -3)).priority == -3


def test_a_handler_says_nothing_that_json_cannot():
    handler = payloads.dump(Plain([float("nan"), {"$datetime": 1}, ()]))
    assert json.loads(handler, parse_constant=pytest.fail)["class"] == f"{__name__}.Plain"


@dataclass
class Moody(Base):
    """Says only when it runs how often it may be tried."""

    a: Any = None

    @property
    def max_attempts(self) -> int | None:
        raise SystemExit("not here")


def test_an_option_that_the_class_computes_is_not_asked_for_to_enqueue():
    assert jobs.enqueue(Moody()).pk is not None
