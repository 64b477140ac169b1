"""A Batch job counts as gone once AWS Batch has said for a while that it has none."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from batchexec.handover.follow import _goes_on
from batchexec.process.poller import Poller
from batchexec.process.watches import Watch

LATE = 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def poller(describe: Any) -> Poller:
    client: Any = SimpleNamespace(describe=describe)
    return Poller(client)


def test_a_process_that_was_held_up_asks_again_before_it_takes_a_job_for_gone(clock):
    watch, polls = Watch("b-1"), poller(lambda ids: {})
    polls.look([watch])
    clock[0] += LATE
    assert _goes_on(watch, None)
    polls.look([watch])
    assert not _goes_on(watch, None)


def test_an_answer_is_as_old_as_its_question(clock):
    """One is read long after it was given, which was when AWS had no such job yet."""

    def describe(ids: Any) -> dict[str, Any]:
        clock[0] += LATE
        return {}

    watch, polls = Watch("b-1"), poller(describe)
    for _ in range(2):
        clock[0] += 100
        polls.look([watch])
    assert watch.polled == 2
    assert _goes_on(watch, None)
