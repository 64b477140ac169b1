"""Time, as far as these tests have a say in it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _promoted_once_a_pass(promoted_once_a_pass: None) -> None: ...


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed, as a store counts outages: one number, which the
    test changes.
    """
    seconds = [0.0]
    monkeypatch.setattr("jobs.store.reach.ticks", lambda: seconds[0])
    return seconds
