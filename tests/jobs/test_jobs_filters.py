"""`manage.py jobs` on several jobs: by the admin's filters, asked first, or only
rehearsed.
"""

from __future__ import annotations

import datetime as dt
import sys

import pytest
from django.utils import timezone

import jobs
from jobs.models import Job, State
from jobs.operator import bulk
from jobs.store import store_for
from tests.jobs.commanding import enqueued
from tests.processes import row
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
EVIL = "evil \x1b[2J\nname \u202e"


def ago(hours: float) -> dt.datetime:
    return timezone.now() - hours * HOUR


def states() -> dict[str, str]:
    return {str(job.pk): job.state for job in Job.objects.all()}


@pytest.fixture
def answer(monkeypatch):
    """Somebody at a terminal, who answers so; returns what was asked."""

    def at_a_terminal(text: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda: text)

    return at_a_terminal


def test_failed_jobs_are_retried_by_queue_name_and_age(run):
    chosen = enqueued(State.FAILED, Fail(), queue="mail", finished_at=ago(1))
    others = [
        enqueued(State.FAILED, Fail(), queue="mail", finished_at=ago(3)),
        enqueued(State.FAILED, Fail(), finished_at=ago(1)),
        enqueued(State.FAILED, Record(), queue="mail", finished_at=ago(1)),
        enqueued(State.CANCELLED, Fail(), queue="mail", finished_at=ago(1)),
    ]
    which = ("--failed", "--queue", "mail", "--name", "SAMPLES.fail", "--since", "2h")
    assert run("retry", *which, "--dry-run").out == "1 job would be retried.\n"
    dry = run("retry", *which, "--dry-run", "--json").json
    assert dry == {"retried": 1, "refused": [], "dry_run": True}
    assert row(chosen).state == State.FAILED
    assert run("retry", *which).out == "1 job retried.\n"
    assert row(chosen).state == State.READY
    assert {row(job).state for job in others} == {State.FAILED, State.CANCELLED}


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("--state", "failed"),
        ("--queue", "mail"),
        ("--name", "samples.FAIL"),
        ("--since", "2h"),
        ("--failed-within", "7200"),
        ("--unique-key", "order 7"),
        ("--text", "OUT of ink"),
        ("--error", "abc"),
    ],
)
def test_each_condition_chooses_for_list_retry_clear_and_prune_alike(run, condition, value):
    chosen = enqueued(
        State.FAILED,
        Fail(),
        queue="mail",
        unique_key="order 7",
        last_error="Boom: out of ink",
        error_key="abc",
        finished_at=ago(1),
    )
    other = enqueued(State.SUCCEEDED, finished_at=ago(1))
    listed = run("list", "--json", condition, value).json
    assert [job["id"] for job in listed] == [str(chosen.pk)]
    assert run("retry", condition, value, "--dry-run", "--json").json["retried"] == 1
    assert run("clear", condition, value, "--dry-run", "--json").json["deleted"] == 1
    prune = ("prune", "--older-than", "30m", condition, value)
    said = run(*prune, "--dry-run")
    assert (said.out, said.err) == ("1 job would be deleted.\n", "")
    assert len(states()) == 2
    assert run(*prune).out == "1 job deleted.\n"
    assert list(states()) == [str(other.pk)]


def test_waiting_jobs_and_those_of_a_worker_are_found(run):
    waiting = enqueued(run_at=ago(2))
    enqueued(run_at=ago(0.5))
    held = enqueued(State.RUNNING, locked_by="w 1")
    enqueued(State.RUNNING, locked_by="w 2")
    found = run("list", "--json", "--waiting-longer-than", "1h").json
    assert [job["id"] for job in found] == [str(waiting.pk)]
    found = run("list", "--json", "--worker", "w 1").json
    assert [job["id"] for job in found] == [str(held.pk)]
    said = run("cancel", "--waiting-longer-than", "1h", "--yes")
    assert (said.out, row(waiting).state) == ("1 job cancelled.\n", State.CANCELLED)
    assert run("unlock", "--worker", "w 1", "--queue", "default", "--yes").status == 0
    assert states()[str(held.pk)] == State.READY


def test_what_destroys_asks_with_numbers_and_no_changes_nothing(run, answer):
    enqueued(), enqueued(), enqueued(State.RUNNING, locked_by="w")
    enqueued(State.FAILED, finished_at=ago(9))
    before = states()
    answer("n")
    for arguments, question in [
        (["cancel", "--queue", "default"], "Cancel 3 jobs (2 ready, 1 running)? [y/N]"),
        (["unlock", "--queue", "default"], "Unlock 1 job (1 running)? [y/N]"),
        (["unlock", "--worker", "w"], "Unlock 1 job (1 running)? [y/N]"),
        (["clear", "--name", "Record"], "Delete 3 jobs (2 ready, 1 failed)? [y/N]"),
        (["prune", "--older-than", "1h"], "Delete 1 job (1 failed)? [y/N]"),
    ]:
        said = run(*arguments)
        assert (said.status, said.out) == (1, ""), arguments
        assert said.err == f"{question} Nothing was changed.\n"
        assert states() == before
        rehearsed = run(*arguments, "--dry-run")
        assert (rehearsed.status, rehearsed.err) == (0, ""), arguments
        assert "would be" in rehearsed.out
        assert states() == before
    answer("y")
    assert run("prune", "--older-than", "1h").out == "1 job deleted.\n"
    assert run("cancel", "--queue", "default").out == "3 jobs cancelled.\n"


@pytest.mark.parametrize("action", ["cancel", "unlock"])
def test_a_filter_needs_a_yes_where_nobody_can_be_asked(run, action):
    enqueued(), enqueued(State.RUNNING)
    before = states()
    said = run(action, "--queue", "default")
    assert said.status == 1
    assert said.err.endswith("Nobody can be asked here: say --yes.\n")
    assert states() == before


def test_what_changed_after_the_question_is_left_alone(run, monkeypatch):
    seen = enqueued()

    def meanwhile() -> str:
        jobs.enqueue(Record("new"))
        Job.objects.update(updated_at=timezone.now() + HOUR)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", meanwhile)
    said = run("cancel", "--queue", "default")
    assert "[y/N]" in said.err
    assert said.out.splitlines() == [
        "0 jobs cancelled.",
        "2 jobs left alone, because they changed meanwhile, or are still being executed.",
    ]
    assert row(seen).state == State.READY


@pytest.mark.parametrize(
    ("action", "state", "after"),
    [("cancel", State.READY, State.CANCELLED), ("unlock", State.RUNNING, State.READY)],
)
def test_a_job_that_was_named_and_changed_after_the_question_is_left_alone(
    run, monkeypatch, action, state, after
):
    changed, other = (enqueued(state, locked_by="w", locked_at=timezone.now()) for _ in range(2))

    def meanwhile() -> str:
        now = timezone.now() + HOUR
        Job.objects.filter(pk=changed.pk).update(state=State.RUNNING, updated_at=now)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", meanwhile)
    said = run(action, changed.pk, other.pk)
    assert said.status == 1
    assert f"Job {changed.pk} changed meanwhile (it is running): try again." in said.err
    assert said.out.startswith("1 job ")
    assert (row(changed).state, row(other).state) == (State.RUNNING, after)
    assert run(action, changed.pk, "--yes").status == 0


@pytest.mark.parametrize("name", ["prune", "cancel"])
def test_no_more_jobs_are_old_enough_when_the_answer_comes(run, monkeypatch, name):
    now, clock = store_for(Job).now(), store_for(Job)
    old, young = now - 2 * HOUR, now - HOUR / 2
    if name == "prune":
        found = [enqueued(State.FAILED, finished_at=at, updated_at=at) for at in (old, young)]
        arguments = ["prune", "--older-than", "1h"]
    else:
        found = [enqueued(run_at=at, updated_at=old) for at in (old, young)]
        arguments = ["cancel", "--waiting-longer-than", "1h"]

    def an_hour_later() -> str:
        monkeypatch.setattr(clock, "now", lambda: now + HOUR)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", an_hour_later)
    said = run(*arguments)
    assert " 1 job (1 " in said.err
    assert said.out.startswith("1 job ")
    assert store_for(Job).now() == now + HOUR
    assert row(found[1]).state in (State.FAILED, State.READY)


def test_ctrl_c_in_the_middle_is_a_sentence_and_what_was_done_stays(run, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 2)
    for _ in range(4):
        enqueued(State.FAILED)
    retry, thousands = bulk.transitions.retry_several, []

    def interrupted(*arguments):
        thousands.append(arguments)
        if len(thousands) == 2:
            raise KeyboardInterrupt
        return retry(*arguments)

    monkeypatch.setattr(bulk.transitions, "retry_several", interrupted)
    said = run("retry", "--failed")
    assert (said.status, said.out) == (130, "")
    assert said.err == "Interrupted: what was done so far stays.\n"
    assert sorted(states().values()) == ["failed", "failed", "ready", "ready"]


def test_jobs_in_no_state_for_it_are_left_alone_and_counted(run):
    failed, ready = enqueued(State.FAILED, queue="mail"), enqueued(queue="mail")
    said = run("retry", "--queue", "mail", "--json")
    assert said.json == {"retried": 1, "refused": [{"jobs": 1, "reason": "they are ready"}]}
    assert {row(job).state for job in (failed, ready)} == {State.READY}


def test_a_rehearsal_by_ids_says_what_would_be_refused(run):
    failed, ready = enqueued(State.FAILED), enqueued()
    said = run("retry", failed.pk, ready.pk, "nonsense", "--dry-run")
    assert (said.status, said.out) == (4, "1 job would be retried.\n")
    assert f"Job {ready.pk} is ready, so it would not be retried.\n" in said.err
    assert row(failed).state == State.FAILED


def test_many_are_changed_a_thousand_at_a_time(run, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 2)
    for _ in range(5):
        enqueued(State.FAILED, queue="mail")
    assert run("retry", "--failed", "--queue", "mail").out == "5 jobs retried.\n"
    assert run("cancel", "--queue", "mail", "--yes").out == "5 jobs cancelled.\n"
    assert run("clear", "--queue", "mail", "--yes").out == "5 jobs deleted.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry", "--state", "ready"],
        ["retry", "--failed", "--state", "cancelled"],
        ["retry", "--since", "soon"],
        ["retry", "--since", "0"],
        ["retry", "--queue", ""],
        ["retry", "--text", "\udcff"],
        ["retry", "--state", "succeeded", "--since", "2h"],
        ["retry", "1", "--queue", "mail"],
        ["retry", "--dry-run"],
        ["cancel", "--state", "failed"],
        ["cancel", "--error", "x"],
        ["cancel", "--waiting-longer-than", "1h", "--state", "running"],
        ["unlock", "--yes"],
        ["list", "--worker", "w", "--state", "ready"],
        ["list", "--worker", "w", "--since", "1h"],
        ["list", "--watch", "0"],
        ["list", "--watch", "soon"],
        ["list", "--watch", "9" * 30],
        ["errors", "--limit", "0"],
        ["logs"],
        ["logs", "1", "--lines", "0"],
        ["logs", "1", "--lines", "10001"],
        ["prune", "--older-than", "1d", "--worker", "w"],
        ["clear", "--watch"],
    ],
)
def test_nonsense_is_one_sentence_and_status_2(run, arguments):
    job = enqueued()
    said = run(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.strip()
    last = said.err.strip().splitlines()[-1]
    assert last.endswith(".") or ": error:" in last
    assert row(job).state == State.READY
