"""Every change of a job is refused once anything it goes by has changed, and only then;
and which changes raise the epoch.

One table says what each goes by. For each entry, somebody else changes that one thing
between the read and the write.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import jobs
from jobs import transitions
from jobs.models import Job, State
from jobs.process.onward import Onward
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
FINISHED = {State.SUCCEEDED, State.FAILED, State.CANCELLED}

Row = dict[str, Any]


def now() -> dt.datetime:
    """In whole milliseconds, as every database keeps them."""
    told = store_for(Job).now()
    return told.replace(microsecond=told.microsecond // 1000 * 1000)


def waiting() -> Row:
    return {"state": State.READY}


def performed() -> Row:
    """By a worker in its own process."""
    return {
        "state": State.RUNNING,
        "epoch": 3,
        "attempts": 2,
        "locked_by": "w",
        "locked_at": now() - SECOND,
        "runner": "w@3",
        "started_at": now() - SECOND,
        "heartbeat_at": now() - SECOND,
    }


def reserved() -> Row:
    """By a worker that hands over, and hasn't yet."""
    return {**performed(), "runner": "", "started_at": None, "heartbeat_at": None}


def handed_over() -> Row:
    return {**reserved(), "handed_over": True}


def in_batch() -> Row:
    """Its container is registered, and has been silent beyond the lease."""
    return {**handed_over(), "runner": "batch-1/1@3#a", "heartbeat_at": now() - HOUR}


def cancelled() -> Row:
    """While a container was at work that has been silent ever since."""
    return {
        "state": State.CANCELLED,
        "epoch": 4,
        "attempts": 2,
        "runner": "batch-1/1@3#a",
        "heartbeat_at": now() - HOUR,
    }


def rescheduled() -> Row:
    return {"state": State.SCHEDULED, "epoch": 4, "attempts": 2}


@dataclass
class Change:
    """`goes_by`: the fields that must be as they were read, and `states` those that the
    job may be in.

    `raises_epoch` is None where the row is deleted.
    """

    act: Callable[[Job], bool]
    before: Callable[[], Row]
    goes_by: set[str]
    states: set[str]
    raises_epoch: bool | None = False
    leads_to: str = ""


ANY = set(State.values)
RUNNING, WAITING, GOING_ON = (
    {State.RUNNING},
    {State.SCHEDULED, State.READY},
    {State.RUNNING, State.DETACHED},
)
EXECUTOR, WATCHER = {"epoch", "runner"}, {"epoch", "locked_by"}
AS_SEEN = WATCHER | {"runner", "heartbeat_at"}


def failed(where: Callable[[Job], Row], *, destroy: bool = False) -> Callable[[Job], bool]:
    return lambda job: transitions.fail(job, where(job), "why", attempts=3, destroy=destroy)


def rescheduling(where: Callable[[Job], Row]) -> Callable[[Job], bool]:
    return lambda job: transitions.reschedule(job, where(job), now() + HOUR, "why", attempts=3)


def succeed_and_keep(job: Job, **options: Any) -> bool:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Job, "succeeded_rows_are_kept", True)
        return transitions.succeed(job, **options)


def reschedule(job: Job, **options: Any) -> bool:
    where = transitions.as_executor(job)
    return transitions.reschedule(job, where, now() + HOUR, "why", attempts=3, **options)


def going_on(outcome: Callable[..., bool]) -> Callable[[Job], bool]:
    """Together with a claim, where the database can do that; there is nothing to be
    claimed.
    """

    def act(job: Job) -> bool:
        store = store_for(Job)
        if not store.ends_and_claims:
            return outcome(job)
        onward = Onward(store, jobs.Worker(queues=["another"]))
        did = outcome(job, through=onward)
        assert onward.claimed == []
        return did

    return act


CHANGES = {
    "succeed, deleted": Change(transitions.succeed, performed, EXECUTOR, ANY, None),
    "succeed, kept": Change(succeed_and_keep, performed, EXECUTOR, ANY, True, State.SUCCEEDED),
    "reschedule as the executor": Change(
        rescheduling(transitions.as_executor), performed, EXECUTOR, ANY, True, State.SCHEDULED
    ),
    "reschedule as seen": Change(
        rescheduling(transitions.as_seen), in_batch, AS_SEEN, RUNNING, True, State.SCHEDULED
    ),
    "succeed, deleted, and go on": Change(
        going_on(transitions.succeed), performed, EXECUTOR, ANY, None
    ),
    "succeed, kept, and go on": Change(
        going_on(succeed_and_keep), performed, EXECUTOR, ANY, True, State.SUCCEEDED
    ),
    "reschedule and go on": Change(
        going_on(reschedule), performed, EXECUTOR, ANY, True, State.SCHEDULED
    ),
    "fail as the executor": Change(
        failed(transitions.as_executor), performed, EXECUTOR, ANY, True, State.FAILED
    ),
    "fail as seen": Change(
        failed(transitions.as_seen), in_batch, AS_SEEN, RUNNING, True, State.FAILED
    ),
    "fail and delete": Change(
        failed(transitions.as_executor, destroy=True), performed, EXECUTOR, ANY, None
    ),
    "hand over": Change(transitions.hand_over, reserved, WATCHER, RUNNING, False, State.RUNNING),
    "detach": Change(transitions.detach, in_batch, WATCHER, RUNNING, False, State.DETACHED),
    "requeue": Change(
        transitions.requeue,
        reserved,
        AS_SEEN | {"locked_at", "handed_over"},
        RUNNING,
        True,
        State.READY,
    ),
    "register": Change(lambda job: transitions.register(job, "r"), handed_over, EXECUTOR, GOING_ON),
    "supersede": Change(
        lambda job: transitions.supersede(job, "r"), in_batch, EXECUTOR | {"heartbeat_at"}, GOING_ON
    ),
    "take": Change(
        lambda job: transitions.take(job, "hand", "r"),
        waiting,
        {"epoch"},
        WAITING,
        False,
        State.RUNNING,
    ),
    "adopt": Change(transitions.adopt, waiting, EXECUTOR, WAITING, False, State.DETACHED),
    "refund": Change(
        transitions.refund,
        rescheduled,
        EXECUTOR | {"attempts", "handed_over"},
        WAITING | RUNNING,
    ),
    "refund before the next hand-over": Change(
        transitions.refund,
        reserved,
        EXECUTOR | {"attempts", "handed_over"},
        WAITING | RUNNING,
    ),
    "put off": Change(
        lambda job: transitions.put_off(job, now() + HOUR),
        reserved,
        AS_SEEN | {"handed_over"},
        RUNNING,
        True,
        State.SCHEDULED,
    ),
    "cancel": Change(
        transitions.cancel, in_batch, {"epoch"}, ANY - FINISHED, True, State.CANCELLED
    ),
    "retry": Change(
        transitions.retry, cancelled, EXECUTOR | {"heartbeat_at"}, FINISHED, False, State.READY
    ),
    "expire": Change(
        transitions.expire, performed, WATCHER | {"locked_at"}, RUNNING, False, State.RUNNING
    ),
    "discard": Change(transitions.discard, cancelled, {"epoch"}, FINISHED, None),
    "clear the runner": Change(transitions.clear_runner, cancelled, {"runner"}, ANY),
}

#: What somebody else may have made of a field meanwhile.
OTHERWISE: dict[str, Callable[[Any], Any]] = {
    "epoch": lambda epoch: epoch + 1,
    "locked_by": lambda name: f"{name} 2",
    "locked_at": lambda at: now(),
    "runner": lambda name: f"{name} 2",
    "heartbeat_at": lambda at: now(),
    "handed_over": lambda over: not over,
    "attempts": lambda attempts: attempts + 1,
}


def job_with(fields: Row) -> Job:
    job = jobs.enqueue(Record())
    Job.objects.filter(pk=job.pk).update(**fields)
    return Job.objects.get(pk=job.pk)


def values(job: Job) -> Row:
    return {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}


def refused(change: Change, meanwhile: Row) -> bool:
    """Whether the change is refused after `meanwhile` was written; a refused one must
    leave the row as it was.
    """
    job = job_with(change.before())
    seen = copy.copy(job)
    Job.objects.filter(pk=job.pk).update(**meanwhile)
    before = values(Job.objects.get(pk=job.pk))
    if change.act(seen):
        return False
    assert values(Job.objects.get(pk=job.pk)) == before
    assert values(seen) == values(job), "the instance was changed, although the row wasn't"
    return True


def test_a_change_whose_grounds_still_hold_is_made_and_the_instance_is_as_the_row():
    for name, change in CHANGES.items():
        job = job_with(change.before())
        epoch = job.epoch
        assert change.act(job) is True, name
        row = Job.objects.filter(pk=job.pk).first()
        if change.raises_epoch is None:
            assert row is None, name
            continue
        assert row.epoch == epoch + change.raises_epoch, name
        if change.leads_to:
            assert row.state == change.leads_to, name
        if change.act is not transitions.clear_runner:
            assert (job.state, job.epoch, job.runner, job.locked_by) == (
                row.state,
                row.epoch,
                row.runner,
                row.locked_by,
            ), name


def test_a_change_is_refused_where_what_it_goes_by_has_changed_and_only_there():
    for name, change in CHANGES.items():
        before = {**values(Job()), **change.before()}
        for field, otherwise in OTHERWISE.items():
            assert refused(change, {field: otherwise(before[field])}) is (
                field in change.goes_by
            ), f"{name}: {field}"


def test_a_change_is_refused_in_every_state_that_it_is_not_for():
    for name, change in CHANGES.items():
        for state in State:
            assert refused(change, {"state": state}) is (state not in change.states), (
                f"{name}: {state}"
            )


@pytest.mark.parametrize("name", ["supersede", "retry"])
def test_no_other_execution_begins_while_the_runner_shows_signs_of_life(name):
    change = CHANGES[name]
    job = job_with({**change.before(), "heartbeat_at": now()})
    assert change.act(job) is False
    assert Job.objects.get().runner == "batch-1/1@3#a"


def test_a_runner_is_alive_until_it_has_been_silent_for_longer_than_the_lease(settings):
    settings.JOBS = {"LEASE": 3600}
    job = job_with(in_batch())
    for silent, alive in ((0, True), (3500, True), (3700, False)):
        job.heartbeat_at = now() - silent * SECOND
        assert transitions.runner_is_alive(job) is alive
    job.heartbeat_at = None
    assert transitions.runner_is_alive(job) is False
    job.runner, job.heartbeat_at = "", now()
    assert transitions.runner_is_alive(job) is False


@pytest.mark.parametrize("name", [name for name, change in CHANGES.items() if change.raises_epoch])
def test_with_the_epoch_goes_all_that_belonged_to_the_execution_except_a_cancelled_runners_name(
    name,
):
    change = CHANGES[name]
    before = change.before()
    is_unbegun = "handed_over" in change.goes_by
    job = job_with(before if is_unbegun else {**before, "handed_over": True})
    assert change.act(job)
    row = Job.objects.get()
    assert (row.locked_by, row.locked_at, row.handed_over) == ("", None, False)
    kept = ("batch-1/1@3#a", before["heartbeat_at"]) if name == "cancel" else ("", None)
    assert (row.runner, row.heartbeat_at) == kept


@pytest.mark.parametrize(
    ("row", "error", "deleted", "ended"),
    [
        (None, None, True, True),
        (None, "why", False, True),
        ({"state": State.SUCCEEDED, "epoch": 4}, None, False, True),
        ({"state": State.SUCCEEDED, "epoch": 3}, None, False, False),
        ({"state": State.SUCCEEDED, "epoch": 5}, None, False, False),
        ({"state": State.CANCELLED, "epoch": 4}, None, False, False),
        ({"state": State.SCHEDULED, "epoch": 4, "last_error": "why"}, "why", False, True),
        ({"state": State.SCHEDULED, "epoch": 4, "last_error": "another"}, "why", False, False),
        ({"state": State.SCHEDULED, "epoch": 3, "last_error": "why"}, "why", False, False),
        ({"state": State.RUNNING, "epoch": 3}, None, True, False),
    ],
)
def test_an_outcome_whose_answer_was_lost_is_found_by_epoch_and_error_alone(
    row, error, deleted, ended
):
    job = job_with(performed())
    Job.objects.filter(pk=job.pk).delete() if row is None else Job.objects.filter(pk=job.pk).update(
        **row
    )
    assert transitions.has_ended(job, error, deleted=deleted) is ended


def test_no_attempt_is_refunded_that_was_never_counted():
    job = job_with({**rescheduled(), "attempts": 0})
    assert transitions.refund(job) is False
    assert Job.objects.get().attempts == 0


def test_all_leases_of_one_worker_end_and_no_other():
    mine, others = job_with(performed()), job_with({**performed(), "locked_by": "other"})
    ended = job_with({"state": State.CANCELLED, "locked_by": "w"})
    assert transitions.expire_all(Job, "w") == 1
    assert Job.objects.get(pk=mine.pk).locked_at < now() - 60 * SECOND
    assert Job.objects.get(pk=others.pk).locked_at == others.locked_at
    assert Job.objects.get(pk=ended.pk).locked_at is None


def test_what_is_discarded_in_batches_is_what_still_is_as_it_was_chosen(monkeypatch):
    chosen, retried = job_with({"state": State.FAILED}), job_with({"state": State.FAILED})
    store = store_for(Job)
    ids = store.ids

    def retry_meanwhile(*arguments: Any) -> list[Any]:
        found = ids(*arguments)
        assert transitions.retry(Job.objects.get(pk=retried.pk))
        return found

    monkeypatch.setattr(store, "ids", retry_meanwhile)
    announced: list[Any] = []
    deleted = transitions.discard_batch(Job, {"state": State.FAILED}, 10, announced.extend)
    assert deleted == 1
    assert set(announced) == {chosen.pk, retried.pk}
    assert [job.pk for job in Job.objects.all()] == [retried.pk]
    assert chosen.pk != retried.pk
