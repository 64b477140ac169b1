"""Jobs in Django's admin."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import jobs
from jobs import transitions
from jobs.admin import BoundedPaginator, JobAdmin, changelist
from jobs.models import Job, State
from jobs.records import FailedAttempt, Progress, job_key
from tests.jobs.commanding import enqueued, set_row
from tests.processes import row
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:jobs_job_changelist")
HOSTILE = "<script>alert('x')</script> {{ 7|add:7 }} %s \x1b[2J"


def page_of(job: Any, action: str = "change") -> str:
    return reverse(f"admin:jobs_job_{action}", args=[job.pk])


def listed(client: Any, **query: str) -> set[Any]:
    response = client.get(LIST, query)
    assert response.status_code == 200, response.get("Location")
    return {job.pk for job in response.context["cl"].result_list}


def test_jobs_are_listed_filtered_and_searched(admin_client):
    ready = enqueued(name="send a letter", locked_by="host:a pid:7")
    failed = enqueued(State.FAILED, Fail(), queue="mail", last_error="RuntimeError: out of paper")
    assert listed(admin_client) == {ready.pk, failed.pk}
    assert listed(admin_client, state__exact="failed") == {failed.pk}
    assert listed(admin_client, queue="mail") == {failed.pk}
    assert listed(admin_client, queue="mail", state__exact="ready") == set()
    assert listed(admin_client, state__exact="bored") == set()
    for words, expected in [
        ("A LETTER", ready),
        ("host:a", ready),
        ("mail", failed),
        ("out of paper", failed),
        (f" {failed.pk} ", failed),
    ]:
        assert listed(admin_client, q=words) == {expected.pk}
    assert listed(admin_client, state="failed", failed_within="1h") == set()
    set_row(failed, finished_at=timezone.now())
    assert listed(admin_client, state="failed", failed_within="1h") == {failed.pk}
    assert listed(admin_client, waiting="5m") == set()
    set_row(ready, run_at=timezone.now() - dt.timedelta(hours=1))
    assert listed(admin_client, waiting="5m") == {ready.pk}
    hostile = {"q": HOSTILE, "queue": HOSTILE, "name": HOSTILE, "unique_key": HOSTILE}
    page = admin_client.get(LIST, hostile).content.decode()
    assert "<script>alert" not in page
    for words in ("(", "[a", "*", "\\", "$where", "9" * 30, "9" * 5000, "%", "a\0b", "ü" * 300):
        assert listed(admin_client, q=words) <= {ready.pk, failed.pk}
    page = admin_client.get(LIST).content.decode()
    assert 'href="?queue=mail"' in page.replace("/admin/jobs/job/?", "?")


SORTABLE = ["state_shown", "what", "queue_shown", "priority", "tries", "when", "age", "holder"]


def test_the_list_can_be_sorted_by_every_column_but_the_error(admin_client):
    now, pks = timezone.now(), []
    for number, state in enumerate((State.FAILED, State.READY, State.RUNNING), 1):
        at = now + dt.timedelta(minutes=number)
        texts = {name: f"{name} {number}" for name in ("name", "queue", "locked_by", "runner")}
        pks.append(
            enqueued(state, priority=number, attempts=number, run_at=at, created_at=at, **texts).pk
        )
    for column in SORTABLE:
        place = JobAdmin.list_display.index(column) + 1  # the box comes first
        for order, expected in ((f"{place}", pks), (f"-{place}", pks[::-1])):
            response = admin_client.get(LIST, {"o": order})
            assert [job.pk for job in response.context["cl"].result_list] == expected, column
    for nonsense in ("99", "-", "x.y", "9" * 5000):
        assert admin_client.get(LIST, {"o": nonsense}).status_code == 200


def test_no_more_rows_are_counted_than_can_be_paged(admin_client, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "most", 3)
    monkeypatch.setattr(JobAdmin, "list_per_page", 2)
    jobs.enqueue_many([Record(number) for number in range(5)])
    for page, rows in ((1, 2), (2, 1)):
        response = admin_client.get(LIST, {"p": page})
        assert response.context["cl"].result_count == 3
        assert len(response.context["cl"].result_list) == rows
        assert "There may be more" in response.content.decode()


@pytest.mark.skipif(connection.vendor not in ("sqlite", "postgresql"), reason="Django's query log")
@pytest.mark.usefixtures("known_clock")
def test_a_page_takes_as_many_statements_for_many_jobs_as_for_one(admin_client, monkeypatch):
    monkeypatch.setattr(changelist, "KEPT", math.inf)
    enqueued(State.FAILED, last_error="E: x", finished_at=timezone.now())
    urls = (LIST, f"{LIST}?state=failed", f"{LIST}?q=x", reverse("admin:jobs_job_errors"))

    def statements(url: str) -> int:
        admin_client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(url).status_code == 200
        return len(queries)

    before = [statements(url) for url in urls]
    jobs.enqueue_many([Record(number) for number in range(60)])
    Job.objects.update(state="failed", last_error="E: x", finished_at=timezone.now())
    assert [statements(url) for url in urls] == before
    assert max(before) <= 25


def test_other_conditions_are_a_message_and_find_nothing(admin_client):
    jobs.enqueue(Record())
    for query in (
        {"handler__regex": "("},
        {"id": "x"},
        {"last_error__icontains": "a"},
        {"queue__regex": "("},
    ):
        response = admin_client.get(LIST, query)
        [said] = [str(message) for message in response.context["messages"]]
        assert (response.status_code, said) == (
            200,
            f"There is no filter '{next(iter(query))}': choose one of these.",
        )
        assert list(response.context["cl"].result_list) == []
    for page in ("nonsense", "-1", "0", "99999999999"):
        assert admin_client.get(LIST, {"p": page}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"state": "bored"},
        {"failed_within": "soon"},
        {"failed_within": "999999999999d"},
        {"waiting": "-1h"},
        {"waiting": "1h", "state": "failed"},
        {"queue": "x" * 300},
        {"q": "x" * 300},
        {"q": "a\0b"},
        {"name": "\0"},
        {"state": "ready", "error": "abc"},
    ],
    ids=repr,
)
def test_a_filter_that_nobody_can_understand_is_a_message(admin_client, query):
    enqueued()
    response = admin_client.get(LIST, query)
    assert response.status_code == 200
    message, *_ = response.context["messages"]
    assert str(message).endswith(".")
    assert list(response.context["cl"].result_list) == []
    assert "<script" not in str(message)


def test_a_job_is_shown_with_its_payload_and_its_error(admin_client):
    job = enqueued(
        payload=Record({"greeting": "hé & <b>"}),
        last_error="RuntimeError: it broke\n  File <x>, line 7",
    )
    page = admin_client.get(page_of(job)).content.decode()
    assert "&quot;greeting&quot;: &quot;hé &amp; &lt;b&gt;&quot;" in page
    assert "RuntimeError: it broke\n  File &lt;x&gt;, line 7</pre>" in page
    assert "Its signature holds." in page
    assert '<input type="submit" value="Save"' not in page


UNLOADABLE = [
    "",
    HOSTILE,
    '{"class": "no.Such", "fields": {"a": "\\ud800<img src=x>"}}',
    '{"class": "os.system", "fields": {}}',
    '{"class": "tests.samples.Record", "fields": {"value": {"$model": ["posts.post", 999999999]}}}',
    "[" * 100_000,
    '{"class": ' + "[" * 900 + "]" * 900 + ', "fields": {}}',
    "9" * 5000,
    '{"class": "tests.samples.Record", "fields": {"value": "' + "x" * 1_000_000 + '"}, "more": 1',
]


def test_a_payload_without_a_valid_signature_is_shown_and_says_so(admin_client):
    job = enqueued()
    for handler in UNLOADABLE:
        set_row(job, handler=handler)
        response = admin_client.get(page_of(job))
        page = response.content.decode()
        assert response.status_code == 200
        assert "Its signature doesn&#x27;t hold" in page, handler[:100]
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert len(page) < 1_000_000


def test_hostile_text_is_escaped_wherever_it_is_shown(admin_client):
    job = enqueued(
        State.FAILED,
        name=HOSTILE,
        queue=HOSTILE,
        locked_by=HOSTILE,
        runner=HOSTILE,
        last_error=HOSTILE,
        unique_key=HOSTILE,
    )
    for url in (LIST, page_of(job), page_of(job, "delete"), page_of(job, "history")):
        page = admin_client.get(url).content.decode()
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page
        assert "{{ 7|add:7 }}" in page


def test_an_id_of_no_job_is_no_error_of_the_server(admin_client):
    for pk in (
        "0",
        "nonsense",
        "ffffffffffffffffffffffff",
        "-1",
        "9" * 40,
        "9" * 5000,
        "a%FFb",
        "%00",
        "_",
        "_5F",
    ):
        for action in ("change/", "delete/", "history/", ""):
            for method in (admin_client.get, admin_client.post):
                assert method(f"{LIST}{pk}/{action}").status_code in (301, 302, 403, 404), (
                    pk,
                    action,
                )


def test_nothing_can_be_added_or_edited(admin_client):
    job = enqueued()
    assert admin_client.get(reverse("admin:jobs_job_add")).status_code == 403
    assert admin_client.post(page_of(job), {"state": "failed", "queue": "other"}).status_code == 403
    assert (row(job).state, row(job).queue) == (State.READY, "default")


def test_only_a_finished_job_can_be_deleted(admin_client):
    for state in State.values:
        job = enqueued(state)
        finished = state in ("succeeded", "failed", "cancelled")
        assert admin_client.post(page_of(job, "delete"), {"post": "yes"}).status_code == (
            302 if finished else 403
        )
        assert (row(job) is None) == finished


def test_a_job_that_is_retried_meanwhile_is_not_deleted(admin_client, monkeypatch):
    job = enqueued(State.FAILED)
    discard = transitions.discard

    def late(seen: Any) -> bool:
        transitions.retry(row(job))
        return discard(seen)

    monkeypatch.setattr(transitions, "discard", late)
    assert admin_client.post(page_of(job, "delete"), {"post": "yes"}).status_code == 403
    assert row(job) is not None


def test_strangers_see_nothing(client, django_user_model):
    job = enqueued()
    assert client.get(page_of(job)).status_code == 302
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    assert client.get(page_of(job)).status_code == 403
    assert client.get(LIST).status_code == 403


def test_the_age_is_how_long_ago_it_was_enqueued(admin_client):
    enqueued(created_at=timezone.now() - dt.timedelta(hours=30))
    assert "1 d" in admin_client.get(LIST).content.decode()


@pytest.mark.parametrize("zone", ["UTC", "America/Adak", "Pacific/Kiritimati", "Asia/Kathmandu"])
def test_any_instant_that_is_stored_is_shown_in_any_time_zone(admin_client, settings, zone):
    settings.TIME_ZONE = zone
    job = enqueued()
    for instant in (dt.datetime.min, dt.datetime.max.replace(microsecond=0), dt.datetime(1, 1, 2)):
        at = instant.replace(tzinfo=dt.timezone.utc)
        set_row(job, run_at=at, created_at=at, locked_at=at, heartbeat_at=at, finished_at=at)
        for url in (LIST, page_of(job), page_of(job, "delete"), page_of(job, "history")):
            assert admin_client.get(url).status_code in (200, 403)
        page = admin_client.get(page_of(job)).content.decode()
        assert f"{instant.year:04d}-" in page or f"{instant.year + 1:04d}-" in page


# A job's own page


def failed_attempt(job: Any, number: int, **fields: Any) -> None:
    at = timezone.now() - dt.timedelta(hours=10 - number)
    wanted = {
        "key": f"{job_key(job)}:{number}",
        "job_model": job._meta.label,
        "job_id": str(job.pk),
        "epoch": number,
        "number": number,
        "queue": "default",
        "name": job.name,
        "summary": "E",
        "error": f"KeyError: {number}\nTraceback {number}",
        "worker": "host:a pid:7",
        "started_at": at - dt.timedelta(minutes=3),
        "failed_at": at,
    }
    FailedAttempt.objects.create(**{**wanted, **fields})


def test_a_jobs_page_tells_its_life_with_each_failed_attempt(admin_client):
    job = enqueued(
        State.FAILED,
        last_error="KeyError: 2\nTraceback 2",
        attempts=2,
        created_at=timezone.now() - dt.timedelta(hours=20),
        finished_at=timezone.now() - dt.timedelta(hours=7),
    )
    failed_attempt(job, 1)
    failed_attempt(job, 2, error=f"{HOSTILE}\nTraceback 2")
    response = admin_client.get(page_of(job))
    page = response.content.decode()
    assert [event.kind for event in response.context["timeline"]] == [
        "enqueued",
        "started",
        "attempt",
        "started",
        "attempt",
        "failed",
    ]
    assert "ran for 3 m" in page
    # The row's own error isn't among the attempts that are kept.
    assert [one.title for one in response.context["failed_attempts"]] == [
        "Last error",
        "Attempt 2",
        "Attempt 1",
    ]
    set_row(job, last_error=f"{HOSTILE}\nTraceback 2")
    response = admin_client.get(page_of(job))
    assert [one.title for one in response.context["failed_attempts"]] == ["Attempt 2", "Attempt 1"]
    assert "<script>alert" not in response.content.decode()
    assert response.context["attempts"] == "2 of 25"


def test_a_jobs_page_shows_how_far_it_has_come(admin_client):
    job = enqueued(State.RUNNING, epoch=3)
    Progress.objects.create(
        key=job_key(job), epoch=3, done=1500, total=6000, message=f"page {HOSTILE}"
    )
    page = admin_client.get(page_of(job)).content.decode()
    assert "1,500 of 6,000 (25 %): page &lt;script&gt;" in page
    set_row(job, epoch=4)  # it is another execution's
    assert "1,500 of 6,000" not in admin_client.get(page_of(job)).content.decode()


@pytest.mark.parametrize("state", State.values)
def test_a_jobs_page_and_its_row_have_a_badge_and_a_time_in_every_state(admin_client, state):
    job = enqueued(state, started_at=timezone.now(), finished_at=timezone.now())
    for url in (LIST, page_of(job)):
        page = admin_client.get(url).content.decode()
        assert f'class="job-state job-state-{state}">{state}</span>' in page
        assert re.search(r'<time datetime="[^"]+Z" title="\d{4}-[^"]+">', page)


def test_the_payloads_first_fields_and_the_errors_last_line_are_in_the_list(admin_client):
    enqueued(payload=Record({"text": "hé"}), last_error="RuntimeError: out of paper\nTraceback")
    page = admin_client.get(LIST).content.decode()
    assert "value={&quot;text&quot;: &quot;h" in page
    assert "RuntimeError: out of paper</td>" in page
    assert "0 of 25" in page


def test_the_most_attempts_are_those_of_the_class(admin_client):
    enqueued(payload=Impatient())
    assert "0 of 3" in admin_client.get(LIST).content.decode()


def test_how_many_attempts_a_class_allows_that_is_not_loaded_here_is_not_guessed(admin_client):
    job = enqueued(State.FAILED, attempts=1)
    set_row(job, handler='{"class": "elsewhere.jobs.Charge", "fields": {}}')
    assert admin_client.get(page_of(job)).context["attempts"] == "1"
    set_row(job, handler='{"class": "elsewhere.jobs.Charge", "fields": {"max_attempts": 2}}')
    assert admin_client.get(page_of(job)).context["attempts"] == "1 of 2"


@dataclass
class Impatient(jobs.Performable):
    max_attempts = 3

    def perform(self) -> None: ...


def test_no_page_has_a_script_or_a_style_in_its_text(admin_client):
    job = enqueued(State.FAILED, last_error="E: x")
    errors = reverse("admin:jobs_job_errors")
    asked = admin_client.post(LIST, {"action": "delete", "_selected_action": [str(job.pk)]})
    pages = [admin_client.get(url) for url in (LIST, page_of(job), errors)]
    for response in (*pages, asked):
        page = response.content.decode()
        assert all("src=" in tag for tag in re.findall("<script[^>]*>", page))
        assert not re.search(r"<[^>]+\s(on\w+|style)=", page)
        assert "<style" not in page
        assert re.search(r'href="[^"]*jobs/admin[^"]*\.css"', page)
