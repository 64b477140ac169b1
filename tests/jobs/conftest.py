"""What several tests of `manage.py jobs` ask for, and none leaves to the machine's
speed.
"""

from __future__ import annotations

import datetime as dt

import pytest

from jobs.models import Job
from jobs.store import limits, store_for
from jobs.store.base import Store
from tests.jobs.commanding import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as it is typed."""
    return runner(capsys)


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> dt.datetime:
    """The database's clock stands at this instant, in whole milliseconds."""
    now = store_for(Job).now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    monkeypatch.setattr(Store, "now", lambda self: now)
    return now


@pytest.fixture(autouse=True)
def _promoted_once_a_pass(promoted_once_a_pass: None) -> None: ...


@pytest.fixture(autouse=True)
def _statements_have_the_time_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a worker goes without what a slow database didn't tell in two seconds."""
    monkeypatch.setattr(limits, "PATIENCE", 3600.0)
