"""What several files of these tests need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batchexec.conf import settings as batchexec_options
from batchexec.doctor import deployment, rounds
from jobs import Worker
from jobs.conf import settings as jobs_options
from tests.batchexec.patients import KEY, Patient
from tests.processes import FAST, LEASE


@pytest.fixture
def heir(working: Callable[..., Worker], settings: Any) -> Callable[..., Worker]:
    """Starts who comes after a worker, and soon sweeps, as its lease is short."""
    settings.JOBS = {**settings.JOBS, "LEASE": LEASE}
    return working


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch, settings: Any, batch_with: Any) -> None:
    """A machine from which a deployment can be looked at."""
    monkeypatch.setenv("SECRET_KEY", KEY)
    settings.SECRET_KEY = KEY
    settings.SECRET_KEY_FALLBACKS = []
    settings.JOBS = jobs_options.from_environment(FAST)
    settings.BATCHEXEC = batchexec_options.from_environment(FAST)
    # Limits of what a network may take, not of what a busy machine does.
    monkeypatch.setattr(rounds, "LIMIT", 600.0)
    for name in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):
        monkeypatch.setattr(deployment, name, 120)


@pytest.fixture
def patient(region: None, batch: Any) -> Patient:
    return Patient(batch.url)
