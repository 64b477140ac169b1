"""Who can write rows, but doesn't know a key, has nothing run."""

from __future__ import annotations

import json
import sys

import pytest
from django.db import connection

import jobs
from jobs import payloads
from jobs.models import Job, State
from jobs.operator import actions, reports, signing
from jobs.operator.signing import Seen
from jobs.store import store_for
from tests.handlers import RECORD, set_rows, the_job
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)


def worked_off() -> Job:
    """One pass, after which a job behind the broken one has been performed."""
    jobs.enqueue(Record("next"), priority=9)
    assert jobs.Worker().work_off() == (1, 1)
    return the_job()


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", "x" * 128])
def test_a_row_without_a_valid_signature_fails_for_good_and_imports_nothing(signature, calls):
    job = jobs.enqueue(Record())
    handler = '{"class": "antigravity.x", "fields": {}}'
    Job.objects.filter(pk=job.pk).update(handler=handler, signature=signature)
    row = worked_off()
    assert (row.state, row.attempts) == (State.FAILED, 0)
    assert row.last_error.startswith("DeserializationError: The handler isn't signed")
    assert "antigravity" not in sys.modules
    assert calls == ["next"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "forget"),
        ("target", {"class": "subprocess.Popen"}),
        ("args", [["touch", "/tmp/never"]]),
    ],
)
def test_a_delayed_method_that_somebody_tampered_with_is_not_called(key, value, calls):
    from tests.samples import Target

    job = jobs.delay(Target).remember(1, b=2)
    handler = json.loads(job.handler)
    handler["fields"][key] = value
    set_rows(handler=json.dumps(handler))
    assert worked_off().state == State.FAILED
    assert calls == ["next"]


def test_options_that_somebody_added_to_a_row_are_not_used():
    job = jobs.enqueue(Record())
    handler = json.loads(job.handler)
    handler["options"] = {"batch": {"environment": {"PYTHONWARNINGS": "all:0:antigravity.x:0:0"}}}
    set_rows(handler=json.dumps(handler))
    assert worked_off().state == State.FAILED


def test_a_key_that_is_rotated_keeps_stored_jobs_working(settings, calls):
    settings.JOBS = {"SIGNING_KEYS": ["old"]}
    jobs.enqueue_many([Record(1), Record(2)])
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    jobs.enqueue(Record(3))
    assert jobs.Worker().work_off(1) == (1, 0)
    settings.JOBS = {"SIGNING_KEYS": ["new"]}
    assert jobs.Worker().work_off() == (1, 1)
    assert calls == [1, 3]


def test_the_default_keys_are_djangos(settings, calls):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "first" * 10, []
    jobs.enqueue(Record(1))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second" * 10, ["first" * 10]
    assert jobs.Worker().work_off() == (1, 0)
    jobs.enqueue(Record(2))
    settings.SECRET_KEY_FALLBACKS = []
    assert jobs.Worker().work_off() == (1, 0)


def test_a_signature_is_given_to_the_handler_that_was_seen_and_no_other(calls):
    job = jobs.enqueue(Record("restored"))
    set_rows(signature="")
    seen = Seen.of(the_job())
    set_rows(handler=RECORD % '"swapped"')
    with pytest.raises(actions.Refused, match="changed meanwhile"):
        signing.sign(seen)
    set_rows(handler=job.handler)
    signing.sign(Seen.of(the_job()))
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["restored"]


def test_jobs_of_before_and_of_older_keys_are_signed_together_and_forged_ones_are_not(settings):
    settings.JOBS = {"SIGNING_KEYS": ["old"]}
    older, before, forged = jobs.enqueue_many([Record(1), Record(2), Record(3)])
    Job.objects.filter(pk=before.pk).update(signature="", state=State.FAILED)
    Job.objects.filter(pk=forged.pk).update(signature="0" * 64)
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    jobs.enqueue(Record(4))
    assert {job.pk for job in signing.to_be_signed()} == {older.pk, before.pk}


def test_another_rows_handler_may_be_copied_but_not_changed():
    handler = payloads.dump(Record(1))
    signature = payloads.sign(handler)
    assert payloads.verified(handler, signature)
    assert not payloads.verified(handler + " ", signature)
    assert not payloads.verified(handler, signature.upper())
    for wrong in (None, 7, b"x", "", "\udcff"):
        assert not payloads.verified(handler, wrong)
        assert not payloads.verified(wrong, signature)


def test_a_document_without_the_field_or_with_another_type_has_no_valid_signature(calls):
    if connection.vendor != "mongodb":
        pytest.skip("documents without a schema")
    for change in (
        {"$unset": {"signature": ""}},
        {"$set": {"signature": None}},
        {"$set": {"signature": 7, "handler": 7}},
        {"$set": {"handler": {"class": "antigravity.x"}}},
    ):
        job = jobs.enqueue(Record())
        store_for(Job).collection.update_one({"_id": job.pk}, change)
        assert jobs.Worker().work_off() == (0, 1), change
        row = Job.objects.get(pk=job.pk)
        assert row.state == State.FAILED
        assert reports.as_dict(row, full=True)["signature_valid"] is False
        broken = "handler" in str(change)  # no text: the error names the column
        assert "handler" in row.last_error if broken else reports.payload_text(row)
    assert calls == []
