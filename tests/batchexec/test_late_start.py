"""Each attempt of AWS Batch's own has its own wait for a start."""

from __future__ import annotations

import datetime as dt
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from batchexec.aws.failures import essence
from batchexec.handover import late_start as module
from batchexec.handover.late_start import LateStart
from batchexec.resources import Resources

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)


def milliseconds(ago: float) -> float:
    return (NOW.timestamp() - ago) * 1000


def detail(status: str, *ended: float, created: float = 0.0) -> dict[str, Any]:
    """`ended`: how many seconds ago each attempt did."""
    return essence(
        {
            "jobId": "b-1",
            "status": status,
            "statusReason": "no\nroom",
            "createdAt": milliseconds(created),
            "attempts": [{"stoppedAt": milliseconds(ago)} for ago in ended],
        }
    )


@pytest.fixture
def cancelled() -> list[str]:
    return []


@pytest.fixture
def late_start(cancelled, monkeypatch) -> LateStart:
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    client = SimpleNamespace(cancel=lambda batch_job_id, reason: cancelled.append(reason))
    slot: Any = SimpleNamespace(
        client=client, job="job 1", now=lambda: NOW, ask_batch=lambda call, *of: call(*of)
    )
    return LateStart(slot, SimpleNamespace(wishes=Resources(start_within=10)))  # type: ignore[arg-type]


def test_a_second_attempt_has_a_deadline_though_the_first_was_cancelled_too_late(
    late_start, cancelled
):
    late_start.look_at(detail("RUNNABLE", created=11))
    late_start.look_at(detail("RUNNABLE", created=12))
    assert len(cancelled) == 1  # once for each wait
    late_start.look_at(detail("RUNNING", created=13))
    late_start.look_at(detail("RUNNABLE", 3, created=99))
    assert len(cancelled) == 1
    late_start = late_start.__class__(late_start._slot, late_start._entry)  # taken over
    late_start.look_at(detail("RUNNABLE", 11, created=99))
    assert len(cancelled) == 2


def test_one_that_restarts_between_two_looks_has_it_as_well(late_start, cancelled):
    late_start.look_at(detail("RUNNABLE", created=11))
    late_start.look_at(detail("RUNNABLE", 11, created=40))
    assert len(cancelled) == 2


def test_each_wait_is_reported(late_start, settings, caplog):
    settings.BATCHEXEC = {"RUNNABLE_REPORT_AFTER": 5}
    with caplog.at_level(logging.WARNING):
        late_start.look_at(detail("RUNNABLE", created=6))
        late_start.look_at(detail("RUNNABLE", created=7))
        late_start.look_at(detail("RUNNABLE", 6, created=30))
    assert caplog.messages == [
        "Job job 1 has been RUNNABLE in Batch for 6 s: no\\nroom",
        "Job job 1 has been RUNNABLE in Batch for 6 s: no\\nroom",
    ]


def test_a_wait_of_which_aws_says_no_beginning_counts_from_the_first_look(late_start, cancelled):
    without = {**detail("RUNNABLE"), "waits_since": None}
    late_start.look_at(without)
    assert not cancelled
