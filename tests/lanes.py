"""Which tests a lane runs, so that all lanes together take minutes.

Tests without a database run once, in the first lane, MongoDB's. So do the windows of
the hand-over, because the conformance tests prove of each database what they need.
PostgreSQL's lane is for the queue alone. A short run (`make test`) leaves out what
takes longest and says least: `make test-all` runs all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent

#: Relative to this folder; a `*` stands for any part of a file's name.
ONCE = (
    "project",
    "protocol",
    "e2e",
    "batchexec/test_failures.py",
    "batchexec/test_local_*.py",
    "batchexec/test_resources.py",
    "batchexec/test_windows.py",
    "jobs/test_payloads.py",
    "jobs/test_settings.py",
)

#: `make test` sets TEST_SHORT. Without it everything runs.
SHORT = bool(os.environ.get("TEST_SHORT"))
#: In a short run only in MongoDB's lane: applications and the hand-over, which see of
#: the database what the conformance tests prove.
ONCE_IF_SHORT = ("batchexec", "comments", "examples", "posts")
#: In no lane of a short run: the tests of the stand-in for AWS Batch.
NEVER_IF_SHORT = ("batchexec/test_local_*.py",)

#: In no lane, unless the command names it, as `make test-package` does.
BY_NAME = ROOT / "package"

#: What a lane leaves out besides.
NOT_ON: dict[str, tuple[str, ...]] = {
    "postgres": (
        "model",
        "posts",
        "comments",
        "batchexec",
        "jobs/test_jobs_command.py",
        "documentdb",
    ),
    "sqlite": ("documentdb",),
    "mongodb": ("documentdb",),
    # Its engine has no change streams.
    "documentdb": ("faults/test_pick_up.py",),
}


def is_left_out(path: Path, named: Iterable[Path] = ()) -> bool:
    """Whether the lane that TEST_DATABASE names leaves `path` to others.

    `named` are the paths that pytest's command names.
    """
    if path.is_relative_to(BY_NAME):
        return not any(one.is_relative_to(BY_NAME) for one in named)
    lane = os.environ.get("TEST_DATABASE") or "mongodb"
    if lane == "djongo":
        return False
    left_out = NOT_ON.get(lane, ())
    if lane != "mongodb":
        left_out += ONCE + (ONCE_IF_SHORT if SHORT else ())
    if SHORT:
        left_out += NEVER_IF_SHORT
    return any(path.is_relative_to(ROOT / part) or path.match(f"tests/{part}") for part in left_out)
