"""Which tests a lane runs. What no database has a part in runs once, with the first lane, MongoDB's."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent

#: Relative to this folder.
ONCE = (
    "project",
    "protocol",
    "e2e",
    "batchexec/test_failures.py",
    "batchexec/test_local_api.py",
    "batchexec/test_local_command.py",
    "batchexec/test_local_faults.py",
    "batchexec/test_local_jobs.py",
    "batchexec/test_local_scheduling.py",
    "batchexec/test_local_stopping.py",
    "batchexec/test_resources.py",
    "jobs/test_payloads.py",
    "jobs/test_settings.py",
)


def is_left_out(path: Path) -> bool:
    """Whether `path` is for another lane than the one that TEST_DATABASE names."""
    # djongo's lane has a list of its own: pytest-djongo.ini.
    if os.environ.get("TEST_DATABASE") in (None, "", "mongodb", "djongo"):
        return False
    return any(path.is_relative_to(ROOT / part) for part in ONCE)
