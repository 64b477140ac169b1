"""A role that is denied everything costs no job an attempt, whatever that asks for."""

from __future__ import annotations

from typing import Any

import pytest

import jobs
from batchexec.handover import delays
from batchexec.handover.delays import MOST_DENIALS
from batchexec.local.iam.policy import Policy
from batchexec.models import BatchJob
from batchexec.process import denials
from batchexec.process.denials import Denials, Request
from jobs.models import State
from tests.batchexec.places import add_definition, add_queue, asking
from tests.processes import lines, released, row

pytestmark = pytest.mark.django_db(transaction=True)

MANAGING = ["batch:Describe*", "batch:List*", "batch:CreateJobQueue", "batch:RegisterJobDefinition"]
LOST = {"Statement": [{"Effect": "Allow", "Action": MANAGING, "Resource": "*"}]}
OWN = {
    "tags": {"tags": {"team": "a"}},
    "queue": {"queue": "elsewhere"},
    "definition": {"definition": "another"},
}


@pytest.fixture
def powerless(worker, batch_with, client_of, monkeypatch):
    """A local AWS Batch that denies every submission."""
    monkeypatch.setattr(delays, "LONGEST_PAUSE", 0.3)
    monkeypatch.setattr(delays, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(delays, "HELD_FOR", 600.0)
    batch = batch_with(policy={"Version": "2012-10-17", **LOST})
    add_queue(client_of(batch), "elsewhere")
    add_definition(client_of(batch), "another")
    return batch


def tries(batch: Any) -> int:
    return int(batch.calls()["counts"].get("SubmitJob", 0))


def allow_everything(batch: Any) -> None:
    batch._application._access.policy = None


@pytest.mark.parametrize("plain", [False, True], ids=["own requests only", "the settings' as well"])
def test_while_everything_is_denied_no_job_loses_an_attempt_and_all_run_once_it_is_allowed(
    powerless, worker, tmp_path, plain
):
    log = tmp_path / "log"
    kinds = {**OWN, **({"plain": {}} if plain else {})}
    waiting = jobs.enqueue_many([asking(log, name, **own) for name, own in kinds.items()])

    def allowed_after_many_denials() -> bool:
        reasons = [marker.status_reason for marker in BatchJob.objects.all()]
        if tries(powerless) < 10 * MOST_DENIALS or len(reasons) < len(kinds):
            return False
        assert {(row(job).state, row(job).attempts) for job in waiting} == {(State.RUNNING, 0)}
        assert all("batch:SubmitJob" in reason for reason in reasons)
        allow_everything(powerless)
        return True

    with released(tmp_path / "allowed", once=allowed_after_many_denials):
        assert worker(concurrency=len(kinds)).work_off() == (len(kinds), 0)
    assert sorted(lines(log)) == sorted(kinds)


def test_a_request_that_was_taken_before_is_not_what_a_job_is_to_blame_for(
    powerless, worker, tmp_path
):
    log, mine = tmp_path / "log", worker()
    policy = powerless._application._access.policy
    allow_everything(powerless)
    jobs.enqueue(asking(log, "before", **OWN["tags"]))
    assert mine.work_off() == (1, 0)
    powerless._application._access.policy = policy
    job = jobs.enqueue(asking(log, "after", **OWN["tags"]))

    def allowed_after_many_denials() -> bool:
        if tries(powerless) < 3 * MOST_DENIALS:
            return False
        assert row(job).attempts == 0
        allow_everything(powerless)
        return True

    with released(tmp_path / "allowed", once=allowed_after_many_denials):
        assert mine.work_off() == (1, 0)
    assert lines(log) == ["before", "after"]


def test_expired_credentials_are_nobodys_choice_whatever_the_request(
    batch, worker, client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.process.standstill.LONGEST_PAUSE", 0.2)
    add_queue(client_of(batch), "elsewhere")
    log = tmp_path / "log"
    batch.set_faults([f"SubmitJob:403:code=ExpiredTokenException,times={2 * MOST_DENIALS}"])
    jobs.enqueue_many([asking(log, "tags", **OWN["tags"]), asking(log, "queue", **OWN["queue"])])
    assert worker(concurrency=2).work_off() == (2, 0)
    assert sorted(lines(log)) == ["queue", "tags"]
    assert tries(batch) == 2 * MOST_DENIALS + 2


def test_jobs_that_are_denied_as_all_make_room_for_those_behind_them_at_no_cost(
    powerless, worker, tmp_path, monkeypatch
):
    """Two kinds fill the only slot before anything is accepted."""
    monkeypatch.setattr(delays, "HELD_FOR", 0.5)
    monkeypatch.setattr(denials, "DIFFERENT", 1)
    log = tmp_path / "log"
    outside = ["arn:aws:batch:*:*:job-queue/elsewhere", "arn:aws:batch:*:*:job-definition/another*"]
    allowed = {"Effect": "Allow", "Action": "batch:SubmitJob", "NotResource": outside}
    document = {"Version": "2012-10-17", "Statement": [*LOST["Statement"], allowed]}
    powerless._application._access.policy = Policy(document)
    denied = [jobs.enqueue(asking(log, name, **OWN[name])) for name in ("queue", "definition")]
    jobs.enqueue(asking(log, "plain"))
    assert worker().work_off(3) == (1, 2)
    assert lines(log) == ["plain"]
    for job in denied:
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 0)
        assert "is not authorized to perform: batch:SubmitJob" in row(job).last_error


# The decision


QUEUE, TAGS = Request(queue="elsewhere"), Request(tags=frozenset({("a", "b")}))
MAY_NOT_TAG = "User: u is not authorized to perform: batch:TagResource on resource: arn:x:job/*"


def sentence(resource: str) -> str:
    return f"User: u is not authorized to perform: batch:SubmitJob on resource: arn:x:{resource}"


def test_one_kind_of_request_that_is_denied_is_its_jobs_own_choice():
    known = Denials()
    for team in "abc":  # different tags, but AWS says that it is about tagging
        request = Request(tags=frozenset({("team", team)}))
        known.denied(request, MAY_NOT_TAG, is_plain=False)
        assert not known.are_of_everything(request, since=0.0)


def test_two_kinds_that_are_denied_are_everything_until_something_is_accepted(monkeypatch):
    known = Denials()
    known.denied(TAGS, MAY_NOT_TAG, is_plain=False)
    known.denied(QUEUE, sentence("job-queue/elsewhere"), is_plain=False)
    assert known.are_of_everything(QUEUE, since=0.0)
    known.accepted(Request())
    assert not known.are_of_everything(QUEUE, since=0.0)
    known.denied(TAGS, MAY_NOT_TAG, is_plain=False)
    known.denied(QUEUE, sentence("job-queue/elsewhere"), is_plain=False)
    assert not known.are_of_everything(QUEUE, since=float("inf"))  # something just was
    monkeypatch.setattr(denials, "PROVES_FOR", 0.0)
    assert known.are_of_everything(QUEUE, since=float("inf"))


def test_what_the_settings_ask_for_is_everything():
    known = Denials()
    known.accepted(TAGS)
    known.denied(Request(), "AccessDenied", is_plain=True)
    assert known.are_of_everything(QUEUE, since=0.0)


def test_accepted_requests_are_forgotten_some_day(monkeypatch):
    monkeypatch.setattr(denials, "MOST", 2)
    known = Denials()
    for request in (TAGS, QUEUE, Request()):
        known.accepted(request)
    assert not known.are_of_everything(TAGS, since=float("inf"))
    assert known.are_of_everything(QUEUE, since=float("inf"))
