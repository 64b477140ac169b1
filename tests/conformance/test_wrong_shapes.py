"""A handler of the wrong shape costs its own job, and at once."""

from __future__ import annotations

import pytest

import jobs
from jobs.models import Job, State
from tests.handlers import set_handler
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

RECORD = '{"class": "tests.samples.Record", "fields": {"value": %s}}'


def the_job() -> Job:
    return Job.objects.get()


def worked_off() -> Job:
    """One pass, after which a job behind the broken one has been performed."""
    jobs.enqueue(Record("next"), priority=9)
    assert jobs.Worker().work_off() == (1, 1)
    return the_job()


@pytest.mark.parametrize(
    "handler",
    [
        "null",
        "7",
        '"text"',
        "[1, 2]",
        "NaN",
        "9" * 5000,
        "[" * 100_000,
        "{}",
        '{"class": "tests.samples.Record"}',
        '{"class": "tests.samples.Record", "fields": null}',
        '{"class": "tests.samples.Record", "fields": [[1, 2]]}',
        '{"class": "tests.samples.Record", "fields": [["value", 2]]}',
        '{"class": "tests.samples.Record", "fields": "ab"}',
        '{"class": "tests.samples.Record", "fields": {}, "options": [1]}',
        '{"class": "tests.samples.Record", "fields": {}, "options": [["batch", 1]]}',
        '{"class": "tests.samples.Record", "fields": {}, "options": null}',
        '{"class": ["tests.samples.Record"], "fields": {}}',
        '{"class": {"a": 1}, "fields": {}}',
        '{"class": "", "fields": {}}',
        '{"class": "tests.samples.", "fields": {}}',
        '{"class": "tests", "fields": {}}',
        '{"class": "builtins.int", "fields": {}}',
        '{"class": "os.system", "fields": {"command": "false"}}',
        '{"class": "tests.samples.Silent", "fields": {}}',
        *(
            RECORD % value
            for value in (
                '{"$datetime": 7}',
                '{"$datetime": {"at": 7}}',
                '{"$datetime": {"at": "2026-01-01T00:00:00", "zone": 7}}',
                '{"$datetime": {"at": "2026-01-01T00:00:00", "fold": 7}}',
                '{"$timedelta": 1e400}',
                '{"$timedelta": 99999999999999999999999}',
                '{"$decimal": "x"}',
                '{"$float": []}',
                '{"$bytes": "é"}',
                '{"$tuple": 1}',
                '{"$set": [[1]]}',
                '{"$set": {"a": 1}}',
                '{"$dict": 1}',
                '{"$dict": [1]}',
                '{"$dict": [[1]]}',
                '{"$dict": [[[1], 2]]}',
                '{"$model": 1}',
                '{"$model": []}',
                '{"$model": ["posts.post"]}',
                '{"$model": [1, 2]}',
                '{"$model": ["posts.post", [1, 2]]}',
                '{"$model": ["posts.post", {"a": null}]}',
                '{"$model": ["posts.post", null]}',
                '{"$model": ["posts.post", 999999999]}',
                '{"$model": ["posts.post", %s]}' % ("9" * 40),
                '{"$model": ["posts.post", "nonsense"]}',
                '{"$model": ["posts.post", 1, {"a": 1}]}',
                '{"$resources": 7}',
                '{"$resources": {"vcpu": "x"}}',
                '{"$tuple": [' * 900 + "]}" * 900,
            )
        ),
    ],
)
def test_a_signed_handler_of_any_wrong_shape_fails_at_once_and_the_pass_goes_on(handler, calls):
    set_handler(jobs.enqueue(Record("broken")), handler)
    row = worked_off()
    assert (row.state, row.attempts) == (State.FAILED, 0), row.last_error
    assert row.last_error.startswith("DeserializationError: ")
    assert calls == ["next"]
