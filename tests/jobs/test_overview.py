"""The overview in the admin: what waits, what runs, who works, and how it went."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs.admin import charts
from jobs.admin import overview as page
from jobs.models import Activity, Job, Progress, State, WorkerRecord
from jobs.operator import overview, pausing
from jobs.records import BOUNDS, RAN, WAITED, class_of, job_key
from jobs.store import store_for
from tests.jobs.commanding import enqueued
from tests.jobs.test_admin_actions import user_with
from tests.jobs.test_pausing import Named
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = reverse("admin:jobs_job_overview")
HOSTILE = "<script>alert('x')</script> {{ 7|add:7 }} %s \x1b[2J"


@pytest.fixture(autouse=True)
def _nothing_is_kept(standing_clock: dt.datetime) -> None:
    """And no minute passes."""
    overview.forget()


def ago(**length: float) -> dt.datetime:
    return store_for(Job).now() - dt.timedelta(**length)


def active(minutes_ago: int, queue: str = "default", name: str = "a.Job", **numbers: Any) -> None:
    """Adds activity of that minute; `ran` and `waited` are seconds of each job."""
    minute = ago(minutes=minutes_ago).replace(second=0, microsecond=0)
    for names, seconds in ((RAN, numbers.pop("ran", ())), (WAITED, numbers.pop("waited", ()))):
        for one in seconds:
            column = names[class_of(one)]
            numbers[column] = numbers.get(column, 0) + 1
    key = f"{minute.isoformat()} {queue} {name}"
    Activity.objects.create(key=key, minute=minute, queue=queue, name=name, **numbers)


def worker(name: str, silent: float = 0, **others: Any) -> None:
    others = {"slots": 4, "in_hand": 1, **others}
    WorkerRecord.objects.create(
        name=name, host="here", pid=7, lease=60, seen_at=ago(seconds=silent), **others
    )


def read(client: Any, **query: str) -> tuple[dict[str, Any], str]:
    response = client.get(OVERVIEW, query)
    assert response.status_code == 200
    return response.context_data, response.content.decode()


def test_it_counts_the_jobs_that_matter_now_and_says_how_long_each_queue_waits(admin_client):
    for minutes, priority in ((3, 0), (50, 5), (10, 9)):
        enqueued(run_at=ago(minutes=minutes), priority=priority, queue="mail")
    enqueued(run_at=ago(hours=3), queue="slow")
    enqueued(State.SCHEDULED, run_at=ago(minutes=-5))
    enqueued(State.FAILED)
    enqueued(State.SUCCEEDED)
    found, text = read(admin_client)
    assert {one["name"]: one["count"] for one in found["states"]} == {
        "ready": "4",
        "scheduled": "1",
        "running": "0",
        "detached": "0",
        "failed": "1",
    }
    waiting = [(one["queue"], one["count"], one["for"]) for one in found["waiting"]]
    assert waiting == [("slow", "1", "3 h"), ("mail", "3", "50 m")]
    assert not any(one["is_at_least"] for one in found["waiting"])
    assert 'href="../?state=ready"' in text
    assert "no worker has made" not in text
    enqueued(State.SCHEDULED, run_at=ago(minutes=20))
    found, text = read(admin_client)
    assert (found["overdue"], found["overdue_for"]) == ("1", "20 m")
    assert "no worker has made it ready" in text


def test_a_queue_of_many_priorities_is_said_to_have_waited_for_at_least_so_long(
    admin_client, monkeypatch
):
    monkeypatch.setattr(overview, "PRIORITIES", 2)
    for priority in range(3):
        enqueued(run_at=ago(minutes=priority + 1), priority=priority)
    found, text = read(admin_client)
    [one] = found["waiting"]
    assert (one["for"], one["is_at_least"]) == ("2 m", True)
    assert "at least 2 m" in text


def test_counts_and_queues_end_somewhere_and_say_so(admin_client, monkeypatch):
    monkeypatch.setattr(overview, "COUNTED", 3)
    monkeypatch.setattr(page, "COUNTED", 3)
    monkeypatch.setattr(overview, "QUEUES", 2)
    for number in range(5):
        enqueued(queue=f"q{number % 3}")
    found, text = read(admin_client)
    assert found["states"][0]["count"] == "3+"
    assert len(found["waiting"]) == 2
    assert "There are more queues" in text


def test_workers_are_alive_or_silent_and_nobody_is_missed(admin_client):
    _, text = read(admin_client)
    assert "no worker is alive" not in text
    enqueued()
    worker("w1", silent=100)
    found, text = read(admin_client)
    assert "Jobs wait, and no worker is alive." in text
    worker("w2", slots=10, in_hand=3)
    worker("w3", silent=20, hands_over=True)
    found, text = read(admin_client)
    shown = found["workers"]
    assert (shown["alive"], shown["silent"]) == ("2", "1")
    assert (shown["in_hand"], shown["slots"]) == ("4", "14")
    assert [row["one"].name for row in shown["rows"]] == ["w1", "w2", "w3"]
    assert "no worker is alive" not in text


@pytest.mark.parametrize("state", [State.READY, State.RUNNING, State.DETACHED])
def test_nobody_is_missed_where_jobs_are_in_any_state_that_takes_a_worker(admin_client, state):
    enqueued(state, run_at=ago(minutes=1))
    _, text = read(admin_client)
    assert "Jobs wait, and no worker is alive." in text


def test_what_runs_longest_is_shown_with_its_progress(admin_client):
    young = enqueued(State.RUNNING, started_at=ago(minutes=2), locked_by="w1")
    old = enqueued(State.DETACHED, started_at=ago(hours=5))
    enqueued(State.RUNNING)  # it was reserved, and hasn't begun
    Progress.objects.create(key=job_key(young), epoch=0, done=30, total=120, message="half-way")
    found, text = read(admin_client)
    assert [row["job"].pk for row in found["longest"]] == [old.pk, young.pk]
    assert [row["for"] for row in found["longest"]] == ["5 h", "2 m"]
    assert "30 of 120 (25 %): half-way" in text
    assert re.search(r'<progress max="120.0" value="30.0"', text)


def test_what_is_paused_is_said(admin_client):
    pausing.pause(queue="mail", reason="the provider is down")
    pausing.pause(name="posts.jobs.Import")
    enqueued(queue="mail")
    found, text = read(admin_client)
    assert [one["is_paused"] for one in found["waiting"]] == [True]
    assert "the provider is down" in text
    assert "posts.jobs.Import" in text


def test_the_charts_numbers_are_those_of_the_activity(admin_client):
    active(0, performed=3, ran=[0.3] * 3, waited=[4.0] * 3)
    active(7, performed=10, failed=1, ran=[0.3] * 11)
    active(7, "mail", "b.Job", performed=5, retried=2, ran=[100.0] * 7)
    active(59, performed=1)
    active(60, performed=1000)  # just outside the hour
    active(23 * 60, performed=20)
    active(24 * 60 + 1, performed=5000)
    found, text = read(admin_client)
    by_minute = {row["at"]: row for row in found["points"]}
    assert len(found["points"]) == 60
    assert [row["performed"] for row in found["points"] if row["performed"] != "0"] == [
        "3",
        "15",
        "1",
    ]
    assert (found["total"]["performed"], found["total"]["failed"]) == ("19", "1")
    assert found["total"]["retried"] == "2"
    assert len(by_minute) == 60
    [per_minute, waited, ran] = found["charts"]
    failed, retried, performed = per_minute.series
    assert performed.values[-8] == 15
    assert (failed.values[-8], retried.values[-8]) == (1, 2)
    assert "19 jobs were performed and 1 failed" in per_minute.summary
    assert per_minute.scale == ("20", "10", "0")
    p95, p50 = waited.series
    assert 2 <= p50.values[-1] <= p95.values[-1] <= 5
    assert p50.values[0] is None
    assert 60 <= ran.series[0].values[-8] <= 120
    assert text.count('class="job-chart"') == 3
    assert " style=" not in text.partition('id="job-parts"')[2]

    found, _ = read(admin_client, span="day")
    assert found["total"]["performed"] == "1,039"
    assert len(found["points"]) == 96
    assert sum(found["charts"][0].series[2].values) * 15 == pytest.approx(1039)


def test_queues_or_classes_are_compared_and_one_is_looked_at_alone(admin_client):
    active(1, performed=3)
    active(1, "mail", "b.Job", performed=5, failed=2)
    active(2, "mail", "a.Job", performed=1)
    active(2, "", "", performed=1)
    found, _ = read(admin_client)
    assert [(row["label"], row["performed"]) for row in found["compared"]] == [
        ("mail", "6"),
        ("default", "3"),
        ("others together", "1"),
    ]
    found, _ = read(admin_client, by="name")
    assert [row["label"] for row in found["compared"]] == ["b.Job", "a.Job", "others together"]
    found, text = read(admin_client, by="name", only="a.Job")
    assert found["total"]["performed"] == "4"
    assert "class a.Job" in text
    found, _ = read(admin_client, by="queue", only="mail")
    assert (found["total"]["performed"], found["total"]["failed"]) == ("6", "2")
    found, text = read(admin_client, by="queue", only="nowhere")
    assert found["total"]["performed"] == "0"
    assert "none is known" in text


def test_the_link_of_a_class_finds_its_jobs_whatever_their_name(admin_client):
    found = {Named: enqueued(payload=Named("a")), Record: enqueued()}
    for cls in found:
        active(1, name=f"{cls.__module__}.{cls.__qualname__}", performed=1)
    links = {row["label"]: row["jobs"] for row in read(admin_client, by="name")[0]["compared"]}
    for cls, job in found.items():
        query = links[f"{cls.__module__}.{cls.__qualname__}"]
        listed = admin_client.get(reverse("admin:jobs_job_changelist") + query).context["cl"]
        assert [one.pk for one in listed.result_list] == [job.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"span": "century"},
        {"span": "day\0"},
        {"by": "handler"},
        {"only": "x" * 100_000},
        {"only": "a\0b"},
        {"only": "\udc80"},
        {"by": "name", "only": HOSTILE},
        {"fragment": HOSTILE},
    ],
)
def test_what_nobody_understands_is_ignored(admin_client, query):
    query = {
        name: value.encode("utf-8", "surrogateescape").decode("latin-1")
        for name, value in query.items()
    }
    _, text = read(admin_client, **query)
    assert "<script>alert" not in text


def test_hostile_values_are_texts(admin_client):
    text = HOSTILE.replace("\x1b", "")
    job = enqueued(State.RUNNING, name=text, queue=text, locked_by=text, started_at=ago(hours=1))
    enqueued(name=text, queue=text)
    Progress.objects.create(key=job_key(job), epoch=0, done=1, message=text)
    active(1, text, text, performed=1)
    worker(text, queues=text, version=text)
    pausing.pause(queue=text, reason=text)
    for by in ("queue", "name"):
        _, found = read(admin_client, by=by, only=text)
        assert "<script>alert" not in found
        assert "{{ 7|add:7 }}" in found


def test_a_refresh_gets_the_parts_and_nothing_around_them(admin_client):
    _, text = read(admin_client, fragment="1", span="day")
    assert "<html" not in text
    assert text.count("data-part") == 6
    _, whole = read(admin_client)
    assert "jobs/overview.js" in whole
    assert "fragment=1" in whole


def test_only_who_may_see_jobs_sees_it(client, django_user_model):
    user = user_with(django_user_model)
    user.user_permissions.clear()
    client.force_login(user)
    assert client.get(OVERVIEW).status_code == 403
    assert "Overview of the jobs" not in client.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    assert client.get(OVERVIEW).status_code == 200
    for index in ("/admin/", "/admin/jobs/"):
        assert f'href="{OVERVIEW}"' in client.get(index).content.decode()
    assert 'href="overview/"' in client.get(reverse("admin:jobs_job_changelist")).content.decode()
    client.logout()
    assert client.get(OVERVIEW).status_code == 302


def statements(client: Any) -> list[str]:
    overview.forget()
    with CaptureQueriesContext(connection) as queries:
        read(client, span="day")
    return [query["sql"] for query in queries.captured_queries]


@pytest.mark.usefixtures("known_clock")
def test_its_statements_are_as_many_however_many_jobs_there_are_and_none_writes(admin_client):
    for state in overview.STATES:
        enqueued(state, started_at=ago(minutes=1))
    active(1, performed=1)
    before = statements(admin_client)
    for state in overview.STATES:
        for _ in range(5):
            enqueued(state, started_at=ago(minutes=1))
    for minutes in range(20):
        active(minutes, "mail", f"a.Job{minutes}", performed=7, failed=1)
    after = statements(admin_client)
    assert len(after) == len(before) <= 40
    for text in after:
        assert not re.match(r"(INSERT|UPDATE|DELETE)", text, re.IGNORECASE)


def test_a_length_of_time_has_its_unit():
    lengths = (None, 0.0, 0.25, 0.9999, 1.25, 59.9, 90, 5400, 14400)
    assert [charts.duration(one) for one in lengths] == [
        "-",
        "0 ms",
        "250 ms",
        "1 s",
        "1.25 s",
        "59.9 s",
        "1.5 min",
        "1.5 h",
        "4 h",
    ]


def test_a_scale_holds_what_is_drawn():
    for highest in (0, 0.1, 1, 1.5, 9, 10, 11, 49, 51, 12_345):
        series = [charts.Series("a", "performed", [highest, 0])]
        top = float(charts.columns("t", "s", series, ["1", "2"]).scale[0].replace(",", ""))
        assert max(highest, 1) <= top <= max(10 * highest, 1)
    for highest in (0.001, 3, 70, BOUNDS[-1], 10 * BOUNDS[-1]):
        chart = charts.steps("t", "s", [charts.Series("a", "p50", [highest, None])], ["1", "2"])
        assert [float(one) for one in re.findall(r"[MHV](\d+)", chart.drawing)]
