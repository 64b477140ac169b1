"""Helpers for the tests of your own project.

`run_jobs()` performs what was enqueued, `assert_enqueued(…)` and `assert_no_jobs()`
look at it, and in `inline()` every job is performed where it is enqueued. With pytest,
the fixture `jobs` has the same.
"""

from jobs.testing.asserting import assert_enqueued, assert_no_jobs, assert_not_enqueued
from jobs.testing.inline import inline
from jobs.testing.running import Performed, run_jobs

__all__ = [
    "Performed",
    "assert_enqueued",
    "assert_no_jobs",
    "assert_not_enqueued",
    "inline",
    "run_jobs",
]
