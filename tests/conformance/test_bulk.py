"""What an operator does to many jobs at once, on every database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

import jobs
from jobs.models import Job, State
from jobs.operator import bulk
from jobs.operator.bulk import Selection
from jobs.operator.filters import BadFilter, Filter
from jobs.operator.lists import JobList
from jobs.store import store_for
from tests.conformance.test_hostile_rows import any_type, write
from tests.processes import row
from tests.samples import Fail, Record, calls

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def enqueued(state: str = State.READY, payload: Any = None, **changes: Any) -> Any:
    job = jobs.enqueue(payload or Record("x"))
    if state in ("succeeded", "failed", "cancelled"):
        changes.setdefault("finished_at", timezone.now())
    Job.objects.filter(pk=job.pk).update(state=state, **changes)
    return job


def one_of_each() -> dict[str, Any]:
    return {state: enqueued(state) for state in State.values}


def states(of: dict[str, Any]) -> dict[str, str | None]:
    return {name: getattr(row(job), "state", None) for name, job in of.items()}


def listed(**conditions: Any) -> set[Any]:
    found = JobList(Filter(**conditions))
    rows = found.page(50)
    assert found.count() == len(rows)
    assert Selection(found.filter).count(100) == len(rows)
    return {job.pk for job in rows}


@pytest.mark.parametrize(
    ("act", "takes", "after"),
    [
        (jobs.retry, {"succeeded", "failed", "cancelled"}, "ready"),
        (jobs.cancel, {"scheduled", "ready", "running", "detached"}, "cancelled"),
        (jobs.delete, {"scheduled", "ready", "succeeded", "failed", "cancelled"}, None),
        (jobs.reschedule, {"scheduled", "ready", "succeeded", "failed", "cancelled"}, "ready"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_action_takes_the_jobs_whose_state_allows_it_and_leaves_the_others(act, takes, after):
    of = one_of_each()
    planned = act(*of.values(), dry_run=True)
    assert states(of) == {state: state for state in of}
    outcome = act(*of.values())
    assert states(of) == {state: after if state in takes else state for state in of}
    assert outcome.done == planned.done == len(takes)
    assert outcome.refused == planned.refused == dict.fromkeys(set(of) - takes, 1)
    assert set(outcome.keys) == {of[state].pk for state in takes}


def test_running_jobs_are_deleted_only_if_that_is_said():
    of = one_of_each()
    assert jobs.delete(*of.values(), being_executed=True).done == len(of)
    assert Job.objects.count() == 0


def test_a_retried_job_has_all_its_attempts_and_is_performed():
    job = enqueued(
        State.FAILED, attempts=25, last_error="RuntimeError: x", failed_at=timezone.now()
    )
    assert jobs.retry(state="failed", queue="default").done == 1
    found = row(job)
    assert (found.attempts, found.failed_at, found.finished_at) == (0, None, None)
    jobs.Worker().work_off()
    assert calls == ["x"]


def test_a_job_is_put_off_and_a_finished_one_is_retried_then():
    waiting, failed = enqueued(attempts=3), enqueued(State.FAILED, attempts=25)
    later = (timezone.now() + HOUR).replace(microsecond=0)
    assert jobs.reschedule(waiting, failed, to=later).done == 2
    assert [(row(job).state, row(job).run_at, row(job).attempts) for job in (waiting, failed)] == [
        ("scheduled", later, 3),
        ("scheduled", later, 0),
    ]
    assert jobs.Worker().work_off() == (0, 0)
    assert jobs.reschedule(waiting).done == 1
    assert jobs.Worker().work_off() == (1, 0)


def test_a_job_gets_another_queue_and_priority_unless_it_is_executed():
    waiting, running = enqueued(), enqueued(State.RUNNING)
    outcome = jobs.move(waiting, running, to_queue="mail", to_priority=-7)
    assert (outcome.done, outcome.refused) == (1, {"running": 1})
    assert (row(waiting).queue, row(waiting).priority) == ("mail", -7)
    assert (row(running).queue, row(running).priority) == ("default", 0)
    for wrong in ({}, {"to_queue": 7}, {"to_queue": "x" * 256}, {"to_priority": "7"}):
        with pytest.raises((TypeError, ValueError)):
            jobs.move(waiting, **wrong)


def test_a_cancelled_execution_is_fenced_off():
    job = jobs.enqueue(Record("x"))
    reserved = Job.objects.reserve(jobs.Worker())
    assert jobs.cancel(queue="default").done == 1
    assert row(job).epoch == reserved.epoch + 1
    assert row(job).runner == reserved.runner
    assert not store_for(Job).delete(job.pk, {"epoch": reserved.epoch})
    alive = jobs.retry(job)
    assert (alive.done, alive.changed) == (0, 1)
    silent = timezone.now() - HOUR
    Job.objects.filter(pk=job.pk).update(heartbeat_at=silent)
    assert jobs.retry(job).done == 1
    assert row(job).runner == ""


def test_unlocking_frees_a_job_that_nobody_has_begun():
    job = jobs.enqueue(Record("x"))
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(state="running", locked_by="gone", locked_at=now)
    assert jobs.unlock(state="running").done == 1
    assert row(job).state == "ready"


def test_a_job_that_changed_after_somebody_was_asked_is_left_alone():
    same, other = enqueued(State.FAILED), enqueued(State.FAILED)
    seen_at = timezone.now() + HOUR
    Job.objects.filter(pk=same.pk).update(updated_at=seen_at - HOUR)
    Job.objects.filter(pk=other.pk).update(updated_at=seen_at + HOUR)
    for act in (bulk.retry(), bulk.delete(), bulk.move("mail"), bulk.reschedule()):
        outcome = bulk.perform(act, Selection(ids=[other.pk], seen_at=seen_at))
        assert (outcome.done, outcome.changed) == (0, 1)
    assert row(other).state == "failed"
    outcome = bulk.perform(bulk.retry(), Selection(Filter("failed"), seen_at=seen_at))
    assert (outcome.done, outcome.changed) == (1, 1)
    assert row(same).state == "ready"


def test_thousands_are_changed_a_thousand_at_a_time(django_assert_max_num_queries):
    jobs.enqueue_many([Record(number) for number in range(2_500)])
    written: list[int] = []
    inner = bulk.move(priority=3)

    def write(model: Any, keys: list[Any], seen_at: Any) -> int:
        written.append(len(keys))
        return inner.write(model, keys, seen_at)

    action = bulk.Action("move", "", "", inner.states, write)
    # They still meet the filter afterwards, and are not changed again.
    assert bulk.perform(action, Selection(Filter(queue="default"))).done == 2_500
    assert written == [1_000, 1_000, 500]
    assert store_for(Job).count({"priority": 3}, 10_000) == 2_500


def test_jobs_are_found_by_each_condition():
    now = timezone.now()
    mail = enqueued(payload=Record("to bob"), queue="mail", run_at=now - 2 * HOUR)
    waiting = enqueued(State.SCHEDULED, run_at=now - HOUR / 2)
    later = enqueued(State.SCHEDULED, run_at=now + HOUR)
    old = enqueued(
        State.FAILED, Fail(), finished_at=now - 3 * HOUR, last_error="RuntimeError: out of ink"
    )
    new = enqueued(State.FAILED, Fail(), finished_at=now, error_key="abc", queue="mail")
    keyed = enqueued(unique_key="order 7")
    assert listed(queue="mail") == {mail.pk, new.pk}
    assert listed(queue="mail", state="ready") == {mail.pk}
    assert listed(state="scheduled") == {waiting.pk, later.pk}
    assert listed(name="SAMPLES.FAIL") == {old.pk, new.pk}
    assert listed(failed_within=HOUR) == {new.pk}
    assert listed(failed_within=4 * HOUR, queue="mail") == {new.pk}
    assert listed(waiting_longer_than=HOUR) == {mail.pk}
    assert listed(waiting_longer_than=HOUR / 4, state="scheduled") == {waiting.pk}
    assert listed(unique_key="order 7") == listed(text="ORDER 7") == {keyed.pk}
    assert listed(error="abc") == {new.pk}
    assert listed(text="out of ink") == listed(state="failed", text="Out Of Ink") == {old.pk}
    assert listed(text="to bob") == {mail.pk}
    quoted = enqueued(payload=Record('said "é 漢 \\"'))
    for part in ("é 漢", '"é', "漢 \\", "SAID"):
        assert listed(text=part) == {quoted.pk}, part
    for strange in ("(", "[a", "%", "_", "\\", "$where", "^", "'", '"', "a|b", "ü" * 200):
        assert listed(text=strange, queue="mail") <= {mail.pk, new.pk}, strange
        assert listed(name=strange) <= set(), strange


def test_what_ended_last_and_what_waits_longest_comes_first():
    now = timezone.now()
    for field, state, conditions in (
        ("finished_at", State.FAILED, {"state": "failed"}),
        ("run_at", State.SCHEDULED, {"state": "scheduled"}),
    ):
        pks = [enqueued(state, **{field: now + offset * HOUR}).pk for offset in (2, 3, 1)]
        expected = [pks[1], pks[0], pks[2]]
        found = [job.pk for job in JobList(Filter(**conditions)).page(10)]
        assert found == (expected if state == State.FAILED else expected[::-1])


def test_a_list_says_if_not_all_jobs_were_looked_at(monkeypatch):
    jobs.enqueue_many([Record(number) for number in range(5)])
    monkeypatch.setattr("jobs.operator.lists.LOOKED_AT", 3)
    found = JobList(Filter(text="samples"))
    assert (found.count(), found.is_cut) == (3, True)
    assert not JobList(Filter(text="samples", queue="other")).is_cut
    assert not JobList(Filter()).is_cut


def test_long_texts_are_cut_for_a_list_and_other_values_are_whole():
    job = enqueued(State.FAILED, Record("y" * 5_000), last_error="RuntimeError: " + "z" * 5_000)
    [shown] = JobList(Filter()).page(10)
    assert shown.handler == job.handler[:600]
    assert len(shown.last_error) == 600
    assert shown.created_at == row(job).created_at


@any_type
def test_a_row_with_an_epoch_that_is_no_number_is_cancelled_with_the_others():
    of = [enqueued() for _ in range(3)]
    write(of[1], epoch="first")
    assert jobs.cancel(*of).done == 3
    assert [row(job).state for job in of] == ["cancelled"] * 3
    assert [row(job).epoch for job in of] == [1, 1, 1]


@pytest.mark.parametrize(
    "given",
    [
        {"state": "bored"},
        {"state": 7},
        {"queue": ""},
        {"queue": "x" * 256},
        {"text": "a\0b"},
        {"name": "\ud800"},
        {"failed_within": 3600},
        {"failed_within": dt.timedelta(0)},
        {"waiting_longer_than": dt.timedelta(days=999_999)},
        {"state": "ready", "failed_within": HOUR},
        {"state": "running", "waiting_longer_than": HOUR},
        {"failed_within": HOUR, "waiting_longer_than": HOUR},
        {"error": "abc", "state": "ready"},
    ],
    ids=repr,
)
def test_conditions_that_say_nothing_sensible_are_refused(given):
    with pytest.raises(BadFilter, match=r"\.$"):
        Filter(**given)
    with pytest.raises(BadFilter):
        jobs.retry(**given)


def test_nothing_is_changed_if_nobody_says_which_jobs():
    job = enqueued(State.FAILED)
    for act in (jobs.retry, jobs.cancel, jobs.unlock, jobs.delete, jobs.reschedule):
        for given in ({}, {"queue": None}, {"nonsense": 1}):
            with pytest.raises(TypeError):
                act(**given)
    for nobody in ("nonsense", -1, "9" * 40, ""):
        assert jobs.retry(nobody).done == 0
    assert row(job).state == "failed"


def test_a_filter_is_the_same_after_a_way_through_a_url():
    for chosen in (
        Filter(),
        Filter("failed", "mail", "Publish", dt.timedelta(hours=36), None, "k", "a b", "abc"),
        Filter(waiting_longer_than=dt.timedelta(seconds=90)),
    ):
        assert Filter.parse(chosen.given()) == chosen
    for wrong in ("1", "h", "-1h", "1w", "1.5h", "0s", "9" * 30 + "d", "999999999d"):
        with pytest.raises(BadFilter):
            Filter.parse({"failed_within": wrong})
