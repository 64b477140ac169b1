"""Any order of steps, of any actors, alive or stale: the rows stay as the model has
them. See docs/queue-model.md.
"""

from __future__ import annotations

import os

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings

from tests.lanes import SHORT
from tests.model.base import happenings
from tests.model.machine import QueueMachine

pytestmark = pytest.mark.django_db(transaction=True)

#: The same examples in every run; MODEL_EXAMPLES=5000 looks for others.
ASKED_FOR = int(os.environ.get("MODEL_EXAMPLES") or 0)
USUAL = ALL = 200
if SHORT:
    # The queue is the same on both databases. The stand-in for MongoDB is slow.
    USUAL = 15 if connection.vendor == "sqlite" else 10

#: What a run of all examples must have come across to be worth anything.
INTERESTING = {
    "a late outcome is dropped",
    "reaped: detached",
    "register: a twin is refused",
    "take over",
}
if connection.vendor not in ("mongodb", "djongo"):
    INTERESTING |= {
        "the next job is claimed with the outcome",
        "end and go on, and the answer is lost",
    }


class TestWhoeverActsTheRowsAreAsTheModelHasThem(QueueMachine.TestCase):
    settings = settings(
        max_examples=ASKED_FOR or USUAL,
        stateful_step_count=60,
        derandomize=not ASKED_FOR,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    def runTest(self) -> None:
        happenings.clear()
        super().runTest()
        missed = INTERESTING - set(happenings)
        assert not missed or self.settings.max_examples < ALL

    runTest.is_hypothesis_test = True
