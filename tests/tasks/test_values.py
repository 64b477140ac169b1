"""Arguments and return values at random, without a database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import results
from jobs.models import Job
from jobs.payloads.codec import decode, encode
from jobs.tasks import values
from jobs.tasks.values import plain

TEXT = st.text(st.characters(), max_size=20)  # with surrogates and NUL
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
KEYS = TEXT | st.integers() | st.none() | st.booleans()
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)


def _read(column: str) -> results.Kept:
    return results.read(Job(result=column))


def same(value: Any) -> str:
    """Values as text, because NaN isn't equal to itself, and 1 is to True."""
    return repr(value)


@given(VALUES)
def test_a_value_is_the_same_however_often_it_is_stored(value):
    once = plain(value)
    assert same(plain(once)) == same(once)
    stored = json.dumps(encode(once), allow_nan=False)
    assert stored.isascii()
    assert same(decode(json.loads(stored))) == same(once)


@pytest.mark.parametrize("kind", [lambda each: [each, each], lambda each: {"a": each, "b": each}])
def test_a_few_values_that_stand_for_too_many_are_refused(monkeypatch, kind):
    monkeypatch.setattr(values, "MAX_VALUES", 1_000)
    value = None
    for _ in range(60):  # two to the power of sixty
        value = kind(value)
    with pytest.raises(TypeError, match="it has more than 1,000 values"):
        plain(value)


@given(VALUES)
def test_a_result_has_room_for_every_value(value):
    job = Job(result=results.EMPTY, runner="w@1")
    job.result = results.after_failure(job, "builtins.ValueError", "its traceback \x00\ud800")
    kept = _read(results.after_success(job, plain(value)))
    assert same(kept.return_value) == same(plain(value))
    assert (kept.worker_ids, len(kept.errors)) == (["w", "w"], 1)


@given(st.text() | VALUES.map(lambda value: json.dumps(encode(plain(value)))))
def test_nothing_in_the_column_raises(text):
    job = Job(result=text)
    after = _read(results.after_failure(job, "builtins.ValueError", "x"))
    assert (len(after.errors), len(after.worker_ids)) == (1, 1)
