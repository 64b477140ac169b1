"""`manage.py jobs`: every sub-command, for people and for programs, with its exit
statuses.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.parse
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

import jobs
from jobs import payloads
from jobs.conf import settings
from jobs.models import Job, State
from jobs.operator import actions, reports
from jobs.store import store_for
from tests.jobs.commanding import enqueued, set_row
from tests.processes import ROOT, environment, row
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
NO_IDS = [
    "0",
    "nonsense",
    "ffffffffffffffffffffffff",
    "-1",
    "9" * 40,
    "9" * 5000,
    "a\udcffb",
    "",
    "../x",
    "{$ne: 1}",
]
CHANGE = reverse("admin:jobs_job_changelist") + "%s/change/"
#: How Python takes texts for whole numbers that are printed otherwise.
NEARLY_IDS = ["0{}", "+{}", " {}", "{} ", "{}\n", "{}_0", "0_{}", "{}.0"]
OTHER_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


# Looking


def test_list_shows_the_youngest_first_and_filters(run):
    old, mail, failed = (
        enqueued(),
        enqueued(queue="mail"),
        enqueued(State.FAILED, Fail(), last_error="Boom: out of paper\n  at x"),
    )
    everything = run("list", "--json").json
    assert [job["id"] for job in everything] == [str(job.pk) for job in (failed, mail, old)]
    assert everything[0]["error"] == "Boom: out of paper"
    assert "handler" not in everything[0]
    assert dt.datetime.fromisoformat(everything[0]["run_at"]).utcoffset() == dt.timedelta(0)
    for arguments, expected in [
        (["--state", "failed"], [failed]),
        (["--queue", "mail"], [mail]),
        (["--name", "SAMPLES.fail"], [failed]),
        (["--name", "s.mples"], []),
        (["--limit", "1"], [failed]),
        (["--queue", "default", "--state", "ready", "--name", "Record"], [old]),
    ]:
        assert [job["id"] for job in run("list", "--json", *arguments).json] == [
            str(job.pk) for job in expected
        ]


def test_list_for_people(run):
    assert run("list").out == "No jobs.\n"
    enqueued(State.FAILED, last_error="Boom: out of paper")
    enqueued(name="evil \x1b[2J\nname")
    first, second = run("list").out.splitlines()[1:]
    assert r"evil \x1b[2J\nname" in first
    assert second.split()[1] == "failed"
    assert second.endswith("Boom: out of paper")
    assert run("list", "--limit", "1").out.endswith("… and more: --limit is 1.\n")


def test_show_says_all_there_is(run):
    job = enqueued(payload=Record({"a": "é"}), last_error="Boom\n  at line 7")
    shown = run("show", job.pk, "--json").json
    assert shown["id"] == str(job.pk)
    assert shown["payload"] == {"class": "tests.samples.Record", "fields": {"value": {"a": "é"}}}
    assert (shown["signature_valid"], shown["error"], shown["last_error"]) == (
        True,
        "Boom",
        "Boom\n  at line 7",
    )
    said = run("show", job.pk).out
    assert '"a": "é"' in said
    assert said.endswith("last error\nBoom\n  at line 7\n")


def test_json_has_no_constants_that_are_not_json(run):
    job = enqueued(handler='{"fields": {"a": 1e999, "b": [-1e999, 1.5]}}')

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    shown = json.loads(run("show", job.pk, "--json").out, parse_constant=refuse)
    assert shown["payload"] == {"fields": {"a": None, "b": [None, 1.5]}}


@pytest.mark.parametrize(
    "handler",
    [
        "",
        "not json",
        '{"class": "no.Such", "fields": {"a": "\\ud800"}}',
        "[" * 100_000,
        '{"class": NaN}',
        "null",
    ],
)
def test_show_says_whether_the_signature_holds(run, handler):
    job = enqueued(handler=handler)
    said = run("show", job.pk)
    assert said.status == 0
    assert "Its signature doesn't hold" in said.out
    shown = run("show", job.pk, "--json").json
    assert shown["handler"] == handler
    assert shown["signature_valid"] is False


@pytest.mark.parametrize("action", ["show", "retry", "cancel", "unlock"])
@pytest.mark.parametrize("pk", NO_IDS)
def test_an_id_of_no_job_leaves_with_4(run, action, pk):
    said = run(action, pk, *(["--yes"] if action == "cancel" else []))
    assert said.status == 4
    assert said.err.startswith("There is no job ")
    assert said.err.count("\n") == 1


def test_only_what_an_id_prints_as_is_an_id(run, admin_client):
    job = enqueued()
    pk = str(job.pk)
    for text in (*(one.format(pk) for one in NEARLY_IDS), pk.translate(OTHER_DIGITS)):
        assert run("show", "--", text).status == 4, text
        assert run("cancel", "--yes", "--", text).status == 4, text
        assert store_for(Job).id_of(text) is None, text
        page = CHANGE.replace("%s", urllib.parse.quote(text))
        assert admin_client.get(page).status_code in (302, 404), text
    assert run("show", job.pk).status == 0
    assert store_for(Job).id_of(str(job.pk)) == store_for(Job).id_of(job.pk) == job.pk
    assert row(job).state == State.READY


def test_stats(run, standing_clock):
    nothing = {
        "counts": [],
        "counted_up_to": 100_000,
        "total": 0,
        "oldest_due_seconds": None,
        "detached": 0,
        "paused": [],
    }
    assert run("stats", "--json").json == nothing
    assert run("stats").out == "0 jobs, 0 of them detached.\nNo job is due.\n"
    enqueued(run_at=standing_clock - HOUR)
    enqueued(State.SCHEDULED, run_at=standing_clock + HOUR)
    enqueued(State.DETACHED, queue="b")
    enqueued(State.DETACHED, queue="a")
    stats = run("stats", "--json").json
    assert [(found["state"], found["queue"], found["count"]) for found in stats["counts"]] == [
        ("scheduled", "default", 1),
        ("ready", "default", 1),
        ("detached", "a", 1),
        ("detached", "b", 1),
    ]
    assert (stats["total"], stats["detached"]) == (4, 2)
    assert stats["oldest_due_seconds"] == 3600
    assert "waited for 3600 " in run("stats").out


def test_stats_count_no_further_than_what_costs_little(run, monkeypatch):
    monkeypatch.setattr(reports, "MOST", 2)
    for number in range(4):
        enqueued(queue="many" if number else "one")
    stats = run("stats", "--json").json
    assert [(found["queue"], found["count"]) for found in stats["counts"]] == [
        ("many", 2),
        ("one", 1),
    ]
    assert stats["counted_up_to"] == 2
    out = run("stats").out
    assert "2+" in out
    assert "1+" not in out


def test_check_is_for_monitoring(run, standing_clock):
    assert run("check").status == 0
    job = enqueued(run_at=standing_clock - dt.timedelta(minutes=2))
    enqueued(State.SCHEDULED, run_at=standing_clock + HOUR)
    assert run("check").status == 0
    late = run("check", "--max-age", "60")
    assert late.status == 1
    assert str(job.pk) in late.err
    assert late.out == ""
    said = run("check", "--max-age", "60", "--json")
    assert (said.status, said.json["ok"], len(said.json["problems"])) == (1, False, 1)
    # Due, but not made ready by any worker.
    set_row(job, state=State.SCHEDULED)
    assert run("check", "--max-age", "60").status == 1
    set_row(job, state=State.RUNNING)
    assert run("check", "--max-age", "60").status == 0


def test_check_reports_detached_jobs_that_nobody_takes(run):
    job = enqueued(State.DETACHED, run_at=timezone.now() - HOUR)
    assert run("check").status == 0
    set_row(job, updated_at=timezone.now() - HOUR)
    said = run("check")
    assert said.status == 1
    assert said.err.startswith("1 detached job has waited")
    assert run("check", "--json").json["detached"] == 1


def test_check_reports_running_jobs_whose_workers_are_dead_where_nobody_frees_them(
    run, standing_clock
):
    now = standing_clock
    held = [enqueued(State.RUNNING, locked_by="w 1", runner="w 1@1", locked_at=now) for _ in "ab"]
    assert (run("check").status, run("check").out) == (0, "Jobs are taken in time.\n")
    lease = dt.timedelta(seconds=settings.LEASE)
    set_row(held[0], locked_at=now - lease - dt.timedelta(seconds=290))
    assert run("check").status == 0
    set_row(held[0], locked_at=now - lease - dt.timedelta(seconds=301), runner="")
    said = run("check")
    assert (said.status, said.out) == (1, "")
    assert re.fullmatch(
        rf"Job {held[0].pk} \(tests.samples.Record\) is running, but the worker w 1 gave its last "
        r"sign of life \d+ seconds ago, and no worker takes over: start one.\n",
        said.err,
    )
    assert run("check", "--max-age", "400").status == 0
    set_row(held[1], locked_at=now - HOUR)
    assert f"Job {held[1].pk} (tests.samples.Record) and 1 more are running" in run("check").err
    assert run("check", "--json").json["abandoned"] == 2
    actions.reap(Job)
    assert run("check").status == 0


# Retrying, cancelling, unlocking


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.SUCCEEDED])
def test_retry_starts_afresh(run, state, standing_clock):
    hour_ago = timezone.now() - HOUR
    job = enqueued(state, attempts=25, run_at=hour_ago, failed_at=hour_ago, finished_at=hour_ago)
    assert run("retry", job.pk, "--json").json == {"retried": 1, "refused": []}
    now = row(job)
    assert (now.state, now.attempts, now.failed_at, now.finished_at) == (State.READY, 0, None, None)
    assert now.run_at == standing_clock
    assert jobs.Worker().work_off() == (1, 0)


def test_retry_of_several_does_what_can_be_done(run):
    failed, ready = enqueued(State.FAILED), enqueued()
    said = run("retry", failed.pk, ready.pk)
    assert said.status == 1
    assert said.out == "1 job retried.\n"
    assert (
        said.err
        == f"Job {ready.pk} is ready: only a failed, cancelled or succeeded job can be retried.\n"
    )
    assert run("retry", ready.pk, "nonsense").status == 4


def test_retry_is_refused_while_a_cancelled_execution_shows_signs_of_life(run):
    job = enqueued()
    Job.objects.reserve(jobs.Worker(name="busy"))
    run("cancel", job.pk, "--yes")
    said = run("retry", job.pk)
    assert said.status == 1
    assert "busy@0 still executes it" in said.err
    assert row(job).state == State.CANCELLED
    set_row(job, heartbeat_at=timezone.now() - HOUR)
    assert run("retry", job.pk).status == 0


def test_retry_of_every_failed_job(run):
    failed = [enqueued(State.FAILED, attempts=3) for _ in range(3)]
    cancelled = enqueued(State.CANCELLED)
    assert run("retry", "--failed").out == "3 jobs retried.\n"
    assert {(row(job).state, row(job).attempts) for job in failed} == {(State.READY, 0)}
    assert row(cancelled).state == State.CANCELLED
    assert run("retry", "--failed", "--json").json == {"retried": 0, "refused": []}


def test_cancel_keeps_the_row(run):
    for state in (State.SCHEDULED, State.READY, State.RUNNING, State.DETACHED):
        job = enqueued(state)
        assert run("cancel", job.pk, "--yes", "--json").json == {"cancelled": 1, "refused": []}
        assert row(job).state == State.CANCELLED
    said = run("cancel", job.pk, "--yes")
    assert (said.status, said.err) == (1, f"Job {job.pk} is cancelled already.\n")


@pytest.mark.parametrize("arguments", [["cancel", "1"], ["clear"]])
def test_nothing_is_changed_where_nobody_can_be_asked(run, monkeypatch, arguments):
    job = enqueued()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    said = run(*arguments)
    assert said.status == 1
    assert said.err.endswith("say --yes.\n")
    assert said.err.count("\n") == 1
    assert row(job).state == State.READY


@pytest.mark.parametrize(
    ("answer", "left"),
    [("y", 0), ("YES", 0), ("", 1), ("no", 1), (EOFError, 1), (KeyboardInterrupt, 1)],
)
def test_clear_asks_at_a_terminal(run, monkeypatch, answer, left):
    def answered() -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    enqueued()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answered)
    said = run("clear")
    assert said.err.startswith("Delete 1 job (1 ready)? [y/N] ")
    assert (said.status, Job.objects.count()) == (left, left)


def test_unlock_goes_by_the_reapers_rules(run):
    begun, elsewhere, untouched = enqueued(), enqueued(), enqueued()
    worker = jobs.Worker(name="w")
    for _ in range(3):
        Job.objects.reserve(worker)
    set_row(elsewhere, handed_over=True, runner="")
    set_row(untouched, runner="", heartbeat_at=None)
    other = enqueued()
    Job.objects.reserve(jobs.Worker(name="other"))
    said = run("unlock", begun.pk, elsewhere.pk, untouched.pk, "--json")
    assert said.json == {"unlocked": 3, "refused": []}
    assert (row(begun).state, row(begun).attempts) == (State.SCHEDULED, 1)
    assert (row(elsewhere).state, row(elsewhere).epoch) == (State.DETACHED, 0)
    assert (row(untouched).state, row(untouched).attempts) == (State.READY, 0)
    assert (row(other).state, row(other).locked_by) == (State.RUNNING, "other")
    again = run("unlock", begun.pk)
    assert (again.status, again.err) == (
        1,
        f"Job {begun.pk} is scheduled, so nobody has it locked.\n",
    )


def test_unlock_of_all_that_a_worker_has_locked(run):
    mine = [enqueued() for _ in range(2)]
    for _ in mine:
        Job.objects.reserve(jobs.Worker(name="host:a pid:1"))
    other = enqueued()
    Job.objects.reserve(jobs.Worker(name="other"))
    assert run("unlock", "--worker", "nobody").out == "0 jobs unlocked.\n"
    assert run("unlock", "--worker", "host:a pid:1").out == "2 jobs unlocked.\n"
    assert {row(job).state for job in mine} == {State.SCHEDULED}
    assert row(other).state == State.RUNNING


def test_unlock_frees_a_running_row_that_has_no_lease_at_all(run):
    job = enqueued(State.RUNNING)
    assert run("unlock", job.pk).status == 0
    assert row(job).state == State.READY


# Deleting


def test_clear_leaves_what_is_being_executed_unless_it_is_named(run):
    for state in State.values:
        enqueued(state)
    said = run("clear", "--yes")
    assert said.out.splitlines()[0] == "5 jobs deleted."
    assert said.out.splitlines()[1].startswith("2 jobs left, because they are being executed")
    assert run("clear", "--yes", "--json").json == {"deleted": 0, "left": 2}
    assert run("clear", "--yes", "--state", "running").out == "1 job deleted.\n"
    assert list(Job.objects.values_list("state", flat=True)) == ["detached"]


def test_clear_by_state_and_queue(run):
    enqueued(State.FAILED, queue="mail")
    kept = [enqueued(State.FAILED), enqueued(queue="mail")]
    assert run("clear", "--state", "failed", "--queue", "mail", "--yes").out == "1 job deleted.\n"
    assert {job.pk for job in Job.objects.all()} == {job.pk for job in kept}
    assert run("clear", "--queue", "mail", "--yes").out == "1 job deleted.\n"


def test_prune_deletes_what_ended_long_ago_in_batches(run, monkeypatch):
    monkeypatch.setattr(actions, "BATCH", 2)
    day_ago = timezone.now() - dt.timedelta(days=1)
    for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
        for _ in range(3):
            enqueued(state, finished_at=day_ago)
    kept = [
        enqueued(State.FAILED, finished_at=timezone.now() - HOUR),
        enqueued(run_at=day_ago),
        enqueued(State.RUNNING),
    ]
    assert run("prune", "--older-than", "2d").out == "0 jobs deleted.\n"
    assert run("prune", "--older-than", "12h", "--state", "failed", "--json").json == {"deleted": 3}
    assert run("prune", "--older-than", "12h").out == "6 jobs deleted.\n"
    assert {job.pk for job in Job.objects.all()} == {job.pk for job in kept}


# Wrong usage, and a database that doesn't answer


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["explode"],
        ["list", "--state", "bored"],
        ["list", "--limit", "0"],
        ["list", "--limit", "many"],
        ["list", "--limit", "9" * 30],
        ["list", "--queue", "a\udcff"],
        ["list", "--name", "x" * 5000],
        ["show"],
        ["retry"],
        ["retry", "1", "--failed"],
        ["unlock"],
        ["unlock", "1", "--worker", "w"],
        ["cancel", "--yes"],
        ["prune"],
        ["prune", "--older-than", "soon"],
        ["prune", "--older-than", "7w"],
        ["prune", "--older-than", "-1"],
        ["prune", "--older-than", "9" * 12 + "d"],
        ["prune", "--older-than", "1d", "--state", "running"],
        ["check", "--max-age", "nan"],
    ],
)
def test_wrong_usage_leaves_with_2(run, arguments):
    assert run(*arguments).status == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7d", 604_800),
        ("12h", 43_200),
        ("30m", 1_800),
        ("45s", 45),
        ("90", 90),
        ("1.5", 1.5),
        ("0", 0),
    ],
)
def test_durations(text, seconds):
    from jobs.management.arguments import duration

    assert duration(text).total_seconds() == seconds


def test_an_error_of_the_database_is_one_line(run, monkeypatch):
    def refuse(*args: Any) -> None:
        raise ConnectionError("nobody there\nand more")

    monkeypatch.setattr("jobs.operator.reports.stats", refuse)
    said = run("stats")
    assert (said.status, said.err) == (1, "ConnectionError: nobody there\n")


def test_a_reader_that_has_seen_enough_is_no_error():
    jobs.enqueue_many([Record(number) for number in range(2_000)])
    reading = subprocess.Popen(
        [sys.executable, "manage.py", "jobs", "list", "--limit", "2000"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert reading.stdout is not None
    assert reading.stdout.readline().startswith(b"ID")
    reading.stdout.close()
    assert reading.stderr is not None
    with reading.stderr as stderr:
        assert stderr.read() == b""
    assert reading.wait(120) == 0


# Signing


def test_sign_shows_asks_and_signs_what_was_shown(run, monkeypatch, calls):
    job = enqueued(payload=Record("restored"), signature="")
    said = run("sign", job.pk)
    assert said.status == 1
    assert '"value": "restored"' in said.out
    assert "say --yes" in said.err
    assert row(job).signature == ""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert run("sign", job.pk).status == 1
    monkeypatch.setattr("builtins.input", lambda: "y")
    assert "1 job signed." in run("sign", job.pk).out
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["restored"]


PADDING = "x" * 5_000
LONG = '{"padding": "%s", "fields": {"value": 1}, "class": "tests.samples.Record"}'


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        (LONG % PADDING, "tests.samples.Record"),
        (LONG % (" " * 5_000), "tests.samples.Record"),
        (LONG % ("\\n" * 5_000), "tests.samples.Record"),
        ('{"class": "\\u0065vil.Job", "fields": {}}', "evil.Job"),
        ('{"class": "good.Job", "fields": {}, "class": "evil.Job"}', "evil.Job"),
        ('{"class": "evil.Job", "fields": {"value": NaN}}', "evil.Job"),
        ('{"class": "\u0435vil.Job\u202e", "fields": {}}', "\\u0435vil.Job\\u202e"),
        ('{"class": "good.Job\\n7  evil", "fields": {}}', "good.Job\\n7  evil"),
        ('{"class": 7}', "nothing: it names no class"),
        ("[" * 100_000, "nothing: it is not JSON"),
    ],
    ids=["long", "blank", "lines", "escape", "twice", "nan", "lookalike", "line", "none", "deep"],
)
def test_sign_says_first_what_is_called_whatever_hides_it(run, handler, shown):
    job, other = enqueued(signature=""), enqueued(signature="")
    set_row(job, handler=handler)
    said = run("sign", job.pk)
    first, _, whole = said.out.partition("\n")
    assert first == f"{job.pk}  {shown}  ({len(handler):,} characters)"
    assert PADDING not in handler or PADDING in whole
    several = run("sign", job.pk, other.pk).out.splitlines()
    assert several[0] == first
    assert len(several) == 2
    assert first in run("sign", job.pk, other.pk, "--full").out
    assert f": {shown}  (up to {len(handler):,} characters)" in run("sign", "--all").out


def test_sign_all_says_what_it_leaves_alone(run):
    enqueued(signature="0" * 64)
    unsigned = enqueued(signature="")
    said = run("sign", "--all", "--yes")
    assert "1 job of an unknown key, or changed since: left alone." in said.out
    assert "1 job signed." in said.out
    assert row(unsigned).signature


def test_sign_says_which_method_a_delayed_one_calls(run):
    from posts.models import Post

    job = jobs.delay(Post.objects.create(title="t")).save(using="x" * 5_000)
    set_row(job, signature="")
    first = run("sign", job.pk).out.partition("\n")[0]
    assert first.startswith(f"{job.pk}  jobs.delayed.PerformableMethod ")
    assert '"method": "save"' in first
    assert "posts.post" in first.lower()


def test_sign_all_asks_for_a_part_at_a_time_and_keeps_what_was_signed(run, monkeypatch):
    monkeypatch.setattr("jobs.management.queue.signing.AT_ONCE", 2)
    monkeypatch.setattr("jobs.operator.signing.PAGE", 2)
    unsigned = [enqueued(signature="") for _ in range(5)]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = iter("yyn")
    monkeypatch.setattr("builtins.input", lambda: next(answers))
    said = run("sign", "--all")
    assert said.status == 1
    assert "The others were not changed." in said.err
    assert said.err.count("Sign 2 jobs?") == 2
    assert [reports.is_signed(row(job)) for job in unsigned].count(True) == 4
    assert "1 job signed." in run("sign", "--all", "--yes").out


def test_sign_signs_nothing_that_it_has_not_shown(run, monkeypatch):
    job = enqueued(signature="")

    def change_then_say_yes() -> str:
        set_row(job, handler='{"class": "evil.Job", "fields": {}}')
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", change_then_say_yes)
    said = run("sign", "--all")
    assert (said.status, "changed meanwhile" in said.err) == (1, True)
    assert row(job).signature == ""


def test_sign_takes_several_and_names_those_that_are_none(run):
    first, second = enqueued(signature=""), enqueued(State.FAILED, signature="x")
    said = run("sign", first.pk, "nonsense", second.pk, "--yes", "--json")
    assert said.status == 4
    assert json.loads(said.out)["signed"] == 2
    assert [reports.is_signed(row(job)) for job in (first, second)] == [True, True]
    assert run("sign", "--yes").status == 2


def test_sign_all_leaves_out_what_somebody_tampered_with(run):
    before, forged, signed = enqueued(signature=""), enqueued(signature="x"), enqueued()
    said = run("sign", "--all", "--yes")
    assert "1 job signed." in said.out
    assert [reports.is_signed(row(job)) for job in (before, forged, signed)] == [True, False, True]
    assert "0 jobs signed." in run("sign", "--all", "--yes").out


def test_looking_at_a_job_never_loads_it(run, admin_client):
    job = enqueued()
    handler = '{"class": "antigravity.x", "fields": {}}'
    for signature in ("", payloads.sign(handler)):
        set_row(job, handler=handler, signature=signature)
        assert "antigravity.x" in run("show", job.pk).out
        assert "antigravity.x" in run("show", job.pk, "--json").out
        run("list", "--json")
        url = reverse("admin:jobs_job_change", args=[job.pk])
        page = admin_client.get(url).content.decode()
        assert "antigravity.x" in page
        assert ("Its signature holds" in page) is bool(signature)
    assert "antigravity" not in sys.modules
