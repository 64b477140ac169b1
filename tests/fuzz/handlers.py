"""Handlers as nobody's code writes them: real ones, damaged, and JSON of any shape."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from jobs import payloads
from jobs.delayed import PerformableMethod
from tests import hostile, moods, samples

VALUES: list[Any] = [
    None,
    True,
    2**200,
    1.5,
    float("nan"),
    "é\x00\ud800",
    [1, [2, {"a": "b"}]],
    {"$set": [1]},
    {1: (2, 3)},
    {1, 2},
    (1, {"k": b"\xff"}),
    dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    dt.datetime.max,
    dt.date.min,
    dt.time(23, 59, tzinfo=dt.timezone.utc),
    dt.timedelta.min,
    decimal.Decimal("sNaN"),
    uuid.UUID(int=7),
]

#: Job objects that may be performed: each costs itself at the most.
OBJECTS: list[Any] = [
    *map(samples.Record, VALUES),
    samples.Fail(),
    samples.Fail("\x1b[2J\n[Worker] Job 1 COMPLETED \x00\udcff"),
    samples.Undecorated(1, [2]),
    *(samples.Raise(kind) for kind in ("unprintable", "huge", "binary", "exit", "interrupt")),
    *(samples.Hooked(hook) for hook in ("before", "success", "error", "after", "failure")),
    *(
        hostile.Raise(place, kind)
        for kind in ("exit", "interrupt")
        for place in ("perform", "before", "after", "error", "failure", "max_attempts")
    ),
    *(hostile.Raise(place) for place in ("destroy_failed_jobs", "reschedule_at")),
    *(
        hostile.Leave(what, place)
        for place in ("", "perform", "after")
        for what in ("transaction", "autocommit", "atomic", "broken")
    ),
    *(moods.Change(what, "after") for what in moods.CHANGES),
    PerformableMethod.of(samples.Target, "remember", (1, 2), {}),
    PerformableMethod.of(samples.Target, "forget", VALUES, {"a": VALUES}),
]

REAL: list[str] = [payloads.dump(found) for found in OBJECTS]
REAL += [
    '{"class": "tests.samples.Record", "fields": {"value": {"$model": ["posts.post", "1"]}}}',
    '{"class": "tests.samples.Record", "fields": {"value": {"$model": ["posts.post", 1, "x"]}}}',
    '{"class": "tests.samples.Record", "fields": {"value": {"$oid": "%s"}}}' % ("a" * 24),
]

TOKENS = [
    *"[]{}:,\"'\\\x00\n\ud800é0-.",
    *("null", "true", "NaN", "Infinity", "1e999", "9" * 400, "9" * 5000, "-1", "[" * 300),
    *('"$datetime"', '"$model"', '"$set"', '"$dict"', '"$tuple"', '"$decimal"', '"$timedelta"'),
    *('"$bytes"', '"$uuid"', '"$float"', '"$time"', '"$date"', '"$oid"', '"$unheard-of"'),
    *('"class"', '"fields"', '"options"', "tests.samples", "tests.hostile", ".", "jobs.models.Job"),
    *('{"at": "2026-10-25T02:30:00", "zone": "../../etc", "fold": 7}', '"zone": 7', '"fold": "x"'),
    *("posts.post", "auth.user", "tests.samples.Bare", "tests.samples.Silent", "tests.gone.Gone"),
]

#: JSON of any shape, with the queue's own words in it.
words = st.sampled_from([token.strip('"') for token in TOKENS]) | st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)
shaped = st.fixed_dictionaries(
    {
        "class": st.sampled_from(["tests.samples.Record", "tests.samples.Undecorated"]) | values,
        "fields": st.dictionaries(st.sampled_from(["value", "a", "b"]) | words, values, max_size=3)
        | values,
    },
    optional={"options": st.dictionaries(words, values, max_size=2) | values},
)
any_json = (values | shaped).map(json.dumps)


def damaged(text: str, random: Random) -> str:
    """The text with one to four changes: of its JSON where it is JSON, or of its
    letters.
    """
    for _ in range(random.randint(1, 4)):
        text = random.choice([_cut, _doubled, _replaced, _inserted, _reshaped])(text, random)
    return text


def _slice(text: str, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(text))
    return start, min(len(text), start + random.choice([1, 1, 2, 5, 50]))


def _cut(text: str, random: Random) -> str:
    start, end = _slice(text, random)
    return text[:start] + text[end:]


def _doubled(text: str, random: Random) -> str:
    start, end = _slice(text, random)
    return text[:end] + text[start:end] + text[end:]


def _replaced(text: str, random: Random) -> str:
    start, end = _slice(text, random)
    return text[:start] + random.choice(TOKENS) + text[end:]


def _inserted(text: str, random: Random) -> str:
    start, _ = _slice(text, random)
    return text[:start] + random.choice(TOKENS) + text[start:]


def _reshaped(text: str, random: Random) -> str:
    """Another value in the place of one value."""
    try:
        return json.dumps(_swapped(json.loads(text), random))
    except (ValueError, RecursionError):
        return text


def _swapped(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        return {**value, key: _swapped(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        index = random.randrange(len(value))
        return [*value[:index], _swapped(value[index], random), *value[index + 1 :]]
    word = random.choice(TOKENS).strip('"')
    return random.choice([None, 0, -1, 2**70, 0.5, "", [], {}, [value], {word: value}, word])


damaged_ones = st.builds(damaged, st.sampled_from(REAL), st.randoms(use_true_random=False))
#: Any handler.
texts = st.text() | any_json | damaged_ones | st.sampled_from(REAL)
