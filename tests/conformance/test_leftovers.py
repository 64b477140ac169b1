"""A job leaves no connection, transaction or mood behind for its outcome or the next
job.
"""

from __future__ import annotations

import pytest
from django.db import connection, connections

import jobs
from jobs.models import State
from jobs.store.clients import forget_closed
from tests.hostile import Leave
from tests.processes import row
from tests.samples import Record, calls

pytestmark = pytest.mark.django_db(transaction=True)

on_sql = pytest.mark.skipif(
    connection.vendor not in ("postgresql", "sqlite"), reason="connections of SQL databases"
)


@on_sql
@pytest.mark.parametrize("fails_in", ["", "perform", "after"])
@pytest.mark.parametrize("what", ["transaction", "autocommit", "atomic", "broken"])
def test_an_outcome_is_never_part_of_what_the_job_left_open(what, fails_in):
    job = jobs.enqueue(Leave(what, fails_in))
    following = jobs.enqueue(Record("next"))
    assert jobs.Worker().work_off(2) == ((1, 1) if fails_in else (2, 0))
    connection.close()  # what wasn't committed is gone now
    assert row(following) is None
    if fails_in:
        assert row(job).last_error.startswith("RuntimeError: the job's own error")
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    else:
        assert row(job) is None
    assert calls == ["next"]


@pytest.mark.skipif(connection.vendor != "mongodb", reason="a client that threads share")
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_client_that_a_job_closed_is_replaced(concurrency):
    enqueued = [jobs.enqueue(Leave("broken", fails_in)) for fails_in in ("", "after", "perform")]
    following = jobs.enqueue(Record("next"))
    assert jobs.Worker(concurrency=concurrency).work_off(4) == (2, 2)
    forget_closed(connections["default"])  # this thread's, which Django would use below
    assert calls == ["next"]
    assert row(following) is None
    assert [job.last_error[:12] for job in map(row, enqueued) if job] == ["RuntimeError"] * 2


@on_sql
def test_a_callers_own_transaction_is_left_alone():
    from django.db import transaction

    with transaction.atomic():
        jobs.enqueue(Record(1))
        jobs.Worker().work_off(1)
        assert connection.in_atomic_block
        assert connection.connection is not None
