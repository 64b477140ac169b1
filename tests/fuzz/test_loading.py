"""Handlers at random: nothing but the documented errors leaves `load`, and nothing
unsigned is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import pytest
from django.db import transaction
from hypothesis import strategies as st

from jobs import payloads
from jobs.exceptions import DeserializationError, LoadingFailed
from tests.fuzz.budget import holds
from tests.fuzz.handlers import REAL, texts

pytestmark = pytest.mark.django_db(transaction=True)

#: What a row may contain besides texts.
anything = st.none() | st.booleans() | st.integers() | st.binary() | st.lists(st.text())


class Watch(MetaPathFinder):
    """Notes each module that somebody wants imported, and finds none."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        self.wanted.append(name)


@contextmanager
def imports() -> Iterator[list[str]]:
    watch = Watch()
    sys.meta_path.insert(0, watch)
    try:
        yield watch.wanted
    finally:
        sys.meta_path.remove(watch)


def load(handler: Any, signature: Any) -> Any:
    """The job object, or None if it can't be loaded. Any other error is a finding."""
    try:
        with transaction.atomic():
            return payloads.load(handler, signature)
    except (DeserializationError, LoadingFailed):
        return None


def test_a_signed_handler_is_loaded_or_a_documented_error():
    def law(handler: str) -> None:
        found = load(handler, payloads.sign(handler))
        assert found is None or isinstance(found, payloads.Performable)

    holds("signed handlers", law, texts)


def test_nothing_is_imported_for_a_handler_without_a_valid_signature():
    signatures = st.one_of(
        st.text(),
        anything,
        texts.map(payloads.sign),
        st.sampled_from(REAL).map(payloads.sign).map(str.upper),
        st.sampled_from(REAL).map(lambda text: payloads.sign(text)[:-1]),
    )
    # As found in sys.modules, it would be seen by nobody.
    strangers = st.sampled_from(["antigravity", "this", "tests.gone", "turtledemo.clock"]).map(
        '{{"class": "{}.Job", "fields": {{}}}}'.format
    )

    def law(handler: Any, signature: Any) -> None:
        if payloads.verified(handler, signature):
            return
        with imports() as wanted, pytest.raises(DeserializationError):
            payloads.load(handler, signature)
        assert wanted == []

    holds("unsigned handlers", law, texts | strangers | anything, signatures)
