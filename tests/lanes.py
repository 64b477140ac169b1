"""Which tests a lane runs, so that all lanes together take minutes.

What no database has a part in runs once, with the first lane, MongoDB's. So do the windows of the hand-over: what they
need of a database is what the conformance tests prove of each. PostgreSQL's lane is for the queue alone.
"""

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
    "batchexec/test_windows.py",
    "jobs/test_payloads.py",
    "jobs/test_settings.py",
)

#: In no lane: `make test-package` names it.
BY_NAME = ("package",)

#: What PostgreSQL's lane leaves out besides.
NOT_ON_POSTGRES = ("model", "posts", "comments", "batchexec", "jobs/test_jobs_command.py")


def is_left_out(path: Path) -> bool:
    """Whether `path` is for another lane than the one that TEST_DATABASE names; djongo's has a list of its own."""
    lane = os.environ.get("TEST_DATABASE") or "mongodb"
    if lane in ("mongodb", "djongo"):
        left_out = BY_NAME
    else:
        left_out = BY_NAME + ONCE
    if lane == "postgres":
        left_out += NOT_ON_POSTGRES
    return any(path.is_relative_to(ROOT / part) for part in left_out)
