"""What several tests of `manage.py jobs` ask for."""

from __future__ import annotations

import pytest

from tests.jobs.commanding import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as it is typed."""
    return runner(capsys)
