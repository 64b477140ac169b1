"""The fixture `jobs`, which pytest finds by itself where this package is installed."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def jobs(db: None) -> Any:
    """The helpers of `jobs.testing`, on the test's database: `jobs.run_jobs()`."""
    from jobs import testing  # not before Django is set up

    return testing
