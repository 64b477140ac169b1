"""Job objects whose own code hangs when a worker asks them what they want."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import jobs
from batchexec.handover import order
from batchexec.process.gates import LOADING_AT_ONCE
from jobs.models import State
from tests.processes import lines, released, row
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Hangs(Append):
    """Doesn't say what it wants while one file exists, and another doesn't."""

    until: str = ""

    @property
    def batch(self) -> None:
        deadline = time.monotonic() + 500
        held = Path(self.until).with_suffix(".held")
        while held.exists() and not Path(self.until).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(self.until)
            time.sleep(0.05)


def test_job_objects_that_hang_hold_up_no_other_job(batch, worker, tmp_path, monkeypatch):
    """Three times as many as may be loaded at once, and all before the good ones."""
    monkeypatch.setattr(order, "LOADING", 600.0)
    go, held = tmp_path / "go", tmp_path / "go.held"
    number = 3 * LOADING_AT_ONCE
    slow = [jobs.enqueue(Hangs(str(tmp_path / "slow"), until=str(go))) for _ in range(number)]
    good = [jobs.enqueue(Append(str(tmp_path / "good")), priority=9) for _ in range(3)]
    held.touch()
    ended_while_others_hung: list[bool] = []

    def good_ones_ended() -> bool:
        if len(lines(tmp_path / "good")) < len(good):
            return False
        ended_while_others_hung.append(lines(tmp_path / "slow") == [])
        return True

    with released(go, once=good_ones_ended):
        assert worker(concurrency=number + 3).work_off() == (number + 3, 0)
    assert ended_while_others_hung == [True]
    assert len(lines(tmp_path / "slow")) == number
    assert [row(job) for job in slow] == [None] * number
    assert State.FAILED not in {getattr(row(job), "state", None) for job in good}
