"""`manage.py jobs errors`: failed jobs by their error."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from jobs import likeness
from jobs.models import Job, State
from jobs.operator import errors
from tests.jobs.commanding import enqueued
from tests.processes import row
from tests.samples import Fail

pytestmark = pytest.mark.django_db(transaction=True)

EVIL = "evil \x1b[2J\nname \u202e"


def ago(hours: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(hours=hours)


def failed(error: str, hours: float = 1, **changes) -> Job:
    key = likeness.key("tests.samples.Fail", error)
    return enqueued(
        State.FAILED, Fail(), last_error=error, error_key=key, finished_at=ago(hours), **changes
    )


def test_errors_are_counted_together_and_their_jobs_retried_by_the_key(run):
    assert run("errors").out == "No failed jobs.\n"
    assert run("errors", "--json").json == []
    alike = [failed(f"Timeout: order {number} at 10.0.0.{number}") for number in range(3)]
    other = failed("Boom: no paper", hours=30)
    first, second = run("errors", "--json").json
    assert (first["count"], first["name"]) == (3, "tests.samples.Fail")
    assert first["error"].startswith("Timeout: order ")
    assert (sum(first["hours"]), sum(second["hours"]), len(first["hours"])) == (3, 0, 24)
    assert (second["count"], second["error"]) == (1, "Boom: no paper")
    said = run("errors").out
    assert "Timeout: order <n> at <address>" in said
    assert first["key"] in said
    only = run("errors", "--limit", "1").out
    assert "Boom" not in only
    assert "… and 1 more errors: --limit is 1." in only
    assert run("retry", "--error", first["key"]).out == "3 jobs retried.\n"
    assert {row(job).state for job in alike} == {State.READY}
    assert row(other).state == State.FAILED


def test_jobs_that_failed_before_errors_were_grouped_are_put_into_their_groups(run, monkeypatch):
    monkeypatch.setattr(errors, "AT_ONCE", 2)
    failed("Timeout: order 9")
    texts = [*(f"Timeout: order {number}" for number in range(4)), "Boom: no paper", EVIL]
    old = [
        enqueued(State.FAILED, Fail(), last_error=text, finished_at=ago(40), updated_at=ago(40))
        for text in texts
    ]
    scheduled = enqueued(State.SCHEDULED, Fail(), last_error="Timeout: order 1")
    assert "from before errors were grouped: see --group-older" in run("errors").out
    assert run("errors", "--group-older").out.startswith("6 jobs newly grouped.\n")
    first, *others = run("errors", "--json").json
    key = likeness.key("tests.samples.Fail", "Timeout: order 9")
    assert (first["key"], first["count"]) == (key, 5)
    assert [one["count"] for one in others] == [1, 1]
    assert all(one["key"] for one in others)
    assert row(old[0]).updated_at < ago(39)  # nothing has become of it
    assert row(scheduled).error_key == ""
    assert run("errors", "--group-older").out.startswith("0 jobs newly grouped.\n")
    assert run("retry", "--error", key).out == "5 jobs retried.\n"


def test_hostile_errors_and_names_steer_no_terminal(run):
    failed(EVIL, name=EVIL, queue=EVIL)
    enqueued(State.FAILED, name=EVIL, last_error=EVIL, finished_at=ago(1))
    for action in ("errors", "list", "stats"):
        said = run(action)
        assert said.status == 0
        assert "\x1b" not in said.out
        assert "\u202e" not in said.out
        assert r"\x1b[2J" in said.out
    # What the shell passes on, too.
    said = run("pause", EVIL)
    assert "\x1b" not in said.out + said.err
