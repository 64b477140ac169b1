"""What an operator does to jobs in Django's admin, and the errors that they share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone

import jobs
from jobs import likeness
from jobs.models import Job
from jobs.operator import bulk
from jobs.store import store_for
from tests.jobs.commanding import enqueued, set_row
from tests.jobs.test_admin import HOSTILE, LIST, page_of
from tests.processes import row
from tests.samples import Fail

pytestmark = pytest.mark.django_db(transaction=True)

ERRORS = reverse("admin:jobs_job_errors")


def post(client: Any, action: str, *chosen: Any, query: str = "", **fields: Any) -> Any:
    ids = [str(job.pk) for job in chosen]
    return client.post(LIST + query, {"action": action, "_selected_action": ids, **fields})


def confirmed(client: Any, asked: Any, **fields: Any) -> Any:
    """Answers yes to a page that asks, with all that its form has."""
    assert asked.status_code == 200, asked
    page = asked.content.decode()
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    data: dict[str, Any] = {}
    for name, value in hidden:
        if name != "csrfmiddlewaretoken":
            data.setdefault(name, []).append(value)
    return client.post(LIST, {**data, **fields})


def said(response: Any, client: Any) -> list[str]:
    assert response.status_code == 302, response.content.decode()[:2000]
    return [str(message) for message in client.get(response["Location"]).context["messages"]]


def state_of(job: Any) -> str | None:
    return getattr(row(job), "state", None)


def user_with(django_user_model: Any, *codenames: str) -> Any:
    # The last test emptied all.
    ContentType.objects.clear_cache()
    create_permissions(apps.get_app_config("jobs"), verbosity=0)
    user = django_user_model.objects.create_user("operator", is_staff=True)
    found = list(Permission.objects.filter(codename__in=["view_job", *codenames]))
    user.user_permissions.set(found)
    if "jobs.view_job" not in user.get_all_permissions():
        pytest.skip("SecantusDB answers Django's join of permissions and apps wrongly")
    return django_user_model.objects.get(pk=user.pk)


def test_ticked_jobs_are_retried_at_once(admin_client):
    failed, cancelled, running = (enqueued(state) for state in ("failed", "cancelled", "running"))
    response = post(admin_client, "retry", failed, cancelled, running, query="?queue=default")
    assert response["Location"].endswith("?queue=default")
    assert said(response, admin_client) == [
        "2 jobs retried.",
        "1 job left alone: 1 is running.",
    ]
    assert [state_of(job) for job in (failed, cancelled, running)] == ["ready", "ready", "running"]


def test_all_that_match_are_retried_after_a_question_and_nothing_else(admin_client):
    matching = [enqueued("failed", queue="mail") for _ in range(3)]
    other, ready = enqueued("failed"), enqueued(queue="mail")
    query = "?state=failed&queue=mail"
    asked = post(admin_client, "retry", query=query, select_across="1")
    assert "3 jobs" in asked.content.decode()
    assert "state failed, queue mail" in asked.content.decode()
    assert [state_of(job) for job in matching] == ["failed"] * 3
    late = enqueued("failed", queue="mail")
    set_row(late, updated_at=timezone.now() + dt.timedelta(minutes=1))
    response = confirmed(admin_client, asked)
    assert said(response, admin_client) == [
        "3 jobs retried.",
        "1 job left alone: 1 changed meanwhile or is still executed.",
    ]
    assert [state_of(job) for job in matching] == ["ready"] * 3
    assert [state_of(job) for job in (other, ready, late)] == ["failed", "ready", "failed"]


@pytest.mark.parametrize("queue", ["mail ", " mail", "\u00a0mail", "mail\t", " "])
def test_a_queue_is_taken_as_it_is_named_from_its_link_to_the_action(admin_client, queue):
    other, chosen = enqueued(queue="mail"), enqueued(queue=queue)
    overview = admin_client.get(reverse("admin:jobs_job_overview")).context_data
    [query] = [one["query"] for one in overview["waiting"] if one["queue"] == queue]
    found = admin_client.get(LIST + query).context["cl"]
    assert [job.pk for job in found.result_list] == [chosen.pk]
    asked = post(admin_client, "delete", query=query, select_across="1")
    assert said(confirmed(admin_client, asked), admin_client) == ["1 job deleted."]
    assert (state_of(other), state_of(chosen)) == ("ready", None)
    confirmed(admin_client, post(admin_client, "move", other), to_queue=queue)
    assert row(other).queue == queue


def test_a_unique_key_is_taken_as_it_is(admin_client):
    other, chosen = enqueued(unique_key="k"), enqueued(unique_key="k ")
    found = admin_client.get(LIST, {"unique_key": "k "}).context["cl"]
    assert [job.pk for job in found.result_list] == [chosen.pk] != [other.pk]


def test_what_is_around_a_text_that_is_looked_for_says_nothing(admin_client):
    job = enqueued("failed", last_error="Boom")
    given = {"q": " Boom ", "state": " failed ", "failed_within": " 1h "}
    set_row(job, finished_at=timezone.now())
    assert admin_client.get(LIST, given).context["cl"].result_count == 1


def test_a_job_that_changes_while_they_are_counted_was_not_seen(admin_client, monkeypatch):
    seen, meanwhile = enqueued("failed", queue="mail"), enqueued(queue="mail")
    count = bulk.Selection.count_by_state

    def slow(selection: bulk.Selection, most: int) -> dict[str, int]:
        found = count(selection, most)
        set_row(meanwhile, state="failed", updated_at=store_for(Job).now())
        return found

    monkeypatch.setattr(bulk.Selection, "count_by_state", slow)
    query = "?state=failed&queue=mail"
    asked = post(admin_client, "delete", query=query, select_across="1")
    assert "1 job" in asked.content.decode()
    assert state_of(meanwhile) == "failed"
    assert said(confirmed(admin_client, asked), admin_client) == [
        "1 job deleted.",
        "1 job left alone: 1 changed meanwhile.",
    ]
    assert (state_of(seen), state_of(meanwhile)) == (None, "failed")


def test_jobs_that_have_waited_for_long_enough_only_since_the_question_are_not_meant(
    admin_client, monkeypatch
):
    now, hour = store_for(Job).now(), dt.timedelta(hours=1)
    then = now - 3 * hour
    old, young = (enqueued(run_at=now - age, updated_at=then) for age in (2 * hour, hour / 2))
    asked = post(admin_client, "cancel", query="?waiting=1h", select_across="1")
    monkeypatch.setattr(store_for(Job), "now", lambda: now + hour)
    assert store_for(Job).now() - row(young).run_at > hour
    assert said(confirmed(admin_client, asked), admin_client) == ["1 job cancelled."]
    assert (state_of(old), state_of(young)) == ("cancelled", "ready")


@pytest.mark.parametrize(
    ("action", "state", "after"),
    [("cancel", "ready", "cancelled"), ("delete", "failed", None), ("delete", "ready", None)],
)
def test_what_destroys_says_how_many_and_asks(admin_client, action, state, after):
    chosen, other = [enqueued(state), enqueued(state)], enqueued(state)
    asked = post(admin_client, action, *chosen)
    page = asked.content.decode()
    assert f"2 {state}" in page
    assert state_of(chosen[0]) == state
    assert said(confirmed(admin_client, asked), admin_client)[0].startswith("2 jobs ")
    assert [state_of(job) for job in chosen] == [after, after]
    assert state_of(other) == state


def test_an_id_that_was_looked_for_is_never_taken_for_a_text(admin_client):
    job = enqueued("failed")
    other = enqueued("failed", last_error=f"RuntimeError: job {job.pk} broke")
    asked = post(admin_client, "delete", query=f"?q={job.pk}", select_across="1")
    Job.objects.filter(pk=job.pk).delete()  # by somebody else
    [message] = said(confirmed(admin_client, asked), admin_client)
    assert message == "Nothing was done: there is no such job now."
    assert state_of(other) == "failed"


def test_a_question_about_jobs_that_can_not_is_no_question(admin_client):
    running = enqueued("running")
    response = post(admin_client, "move", running)
    [message] = said(response, admin_client)
    assert "these are 1 running" in message


def test_a_job_that_changed_after_the_question_is_left_alone_and_that_is_said(admin_client):
    job = enqueued("failed")
    asked = post(admin_client, "delete", job)
    set_row(job, updated_at=timezone.now() + dt.timedelta(minutes=1))
    [message] = said(confirmed(admin_client, asked), admin_client)
    assert message == "1 job left alone: 1 changed meanwhile."
    assert state_of(job) == "failed"


def test_running_jobs_are_deleted_with_a_warning(admin_client):
    from batchexec.models import BatchJob

    job = enqueued("detached", handed_over=True)
    fields = {"job_queue": "q", "job_definition": "d:1", "job_name": "x", "epoch": 0}
    marker = BatchJob.objects.create(job_id=str(job.pk), **fields)
    asked = post(admin_client, "delete", job)
    page = asked.content.decode()
    assert "1 of them is being executed now." in page
    assert "may be executed in AWS Batch now" in page
    confirmed(admin_client, asked)
    assert row(job) is None
    marker.refresh_from_db()
    assert marker.state == "unwanted"


def test_jobs_are_put_off_and_moved_by_what_the_question_is_answered_with(admin_client):
    job = enqueued()
    before = timezone.now()
    confirmed(admin_client, post(admin_client, "reschedule", job), delay="2h")
    assert state_of(job) == "scheduled"
    assert dt.timedelta(hours=1) < row(job).run_at - before < dt.timedelta(hours=3)
    confirmed(admin_client, post(admin_client, "reschedule", job), run_at="2031-05-06T07:08")
    assert row(job).run_at == dt.datetime(2031, 5, 6, 7, 8, tzinfo=dt.timezone.utc)
    confirmed(admin_client, post(admin_client, "reschedule", job))
    assert state_of(job) == "ready"
    confirmed(admin_client, post(admin_client, "move", job), to_queue="mail", to_priority="-3")
    assert (row(job).queue, row(job).priority) == ("mail", -3)


def test_the_question_for_a_time_names_the_time_zone_in_which_the_answer_is_read(
    admin_client, settings
):
    settings.TIME_ZONE = "America/New_York"
    job = enqueued()
    asked = post(admin_client, "reschedule", job)
    assert "a date and time in America/New_York" in asked.content.decode()
    confirmed(admin_client, asked, run_at="2031-05-06T07:08")
    assert row(job).run_at == dt.datetime(2031, 5, 6, 11, 8, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("reschedule", {"delay": "soon"}),
        ("reschedule", {"delay": "999999999999d"}),
        ("reschedule", {"run_at": "2031-99-99T00:00"}),
        ("reschedule", {"run_at": "0001-01-01T00:00"}),
        ("reschedule", {"run_at": "x" * 5000}),
        ("move", {}),
        ("move", {"to_priority": "high"}),
        ("move", {"to_priority": "9" * 5000}),
        ("move", {"to_queue": "x" * 256}),
        ("move", {"to_queue": "a\0b"}),
        ("retry", {"seen_at": "yesterday"}),
        ("retry", {"f_state": "bored", "select_across": "1"}),
        ("retry", {"f_failed_within": HOSTILE, "select_across": "1"}),
    ],
    ids=repr,
)
def test_a_value_that_no_job_can_have_is_a_message_and_changes_nothing(
    admin_client, action, fields
):
    job = enqueued("failed", priority=1)
    response = post(admin_client, action, job, confirmed="1", **fields)
    [message] = said(response, admin_client)
    assert len(message) < 500
    assert (state_of(job), row(job).queue, row(job).priority) == ("failed", "default", 1)


def test_a_form_that_says_nothing_sensible_changes_nothing(admin_client, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000
    job = enqueued("failed")
    for data in (
        {},
        {"action": "explode", "_selected_action": str(job.pk)},
        {"action": "delete_selected", "_selected_action": str(job.pk)},
        {"action": "retry"},
        {"action": "retry", "_selected_action": ["nonsense", "9" * 40, "-1", "a\0b", ""]},
        {"action": "retry", "_selected_action": [str(number) for number in range(1001)]},
        {"action": "retry", "_selected_action": str(job.pk), "from_job": "nonsense\0"},
    ):
        assert admin_client.post(LIST, data).status_code == 302, data
    assert state_of(job) == "ready"  # by the last one


def test_each_action_takes_its_permission(client, django_user_model):
    takes = {
        "retry": "retry_job",
        "reschedule": "reschedule_job",
        "move": "move_job",
        "cancel": "cancel_job",
        "unlock": "unlock_job",
        "delete": "delete_job",
    }
    user = user_with(django_user_model)
    client.force_login(user)
    failed = enqueued("failed")
    page = client.get(LIST).content.decode()
    assert "Retry now" not in page
    assert "action-select" not in page
    for action in takes:
        assert post(client, action, failed).status_code == 403
    assert state_of(failed) == "failed"
    user.user_permissions.add(Permission.objects.get(codename="retry_job"))
    for url in (LIST, page_of(failed), ERRORS):
        page = client.get(url).content.decode()
        assert ("Retry now" in page, 'value="delete"' in page) == (url != ERRORS, False)
    assert post(client, "delete", failed).status_code == 403
    assert post(client, "retry", failed).status_code == 302
    assert state_of(failed) == "ready"


def test_a_stranger_can_do_nothing_and_a_forged_form_neither(client, admin_user):
    from django.test import Client

    job = enqueued("failed")
    assert post(client, "retry", job).status_code == 302  # to the login
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(admin_user)
    assert post(forger, "retry", job).status_code == 403
    assert client.get(ERRORS).status_code == 302
    assert state_of(job) == "failed"


def test_who_did_what_is_in_the_log(admin_client, admin_user):
    one, two = enqueued("failed"), enqueued("failed")
    post(admin_client, "retry", one)
    [entry] = LogEntry.objects.all()
    assert (entry.user_id, entry.object_id, entry.change_message) == (
        admin_user.pk,
        str(one.pk),
        "Retry now: 1 job",
    )
    assert "Retry now: 1 job" in admin_client.get(page_of(one, "history")).content.decode()
    asked = post(admin_client, "delete", query="?state=failed", select_across="1")
    confirmed(admin_client, asked)
    latest = LogEntry.objects.exclude(pk=entry.pk).get()
    assert "Delete: 1 job (state failed)" in latest.change_message
    assert row(two) is None


def test_only_actions_that_suit_are_offered(admin_client):
    ready, failed = enqueued(), enqueued("failed")
    offered = {
        "retry": (False, True),
        "reschedule": (True, True),
        "move": (True, True),
        "cancel": (True, False),
        "unlock": (False, False),
        "delete": (True, True),
    }
    for place, (job, state) in enumerate(((ready, "ready"), (failed, "failed"))):
        for url in (page_of(job), f"{LIST}?state={state}"):
            page = admin_client.get(url).content.decode()
            for action, suits in offered.items():
                assert (f'name="action" value="{action}"' in page) == suits[place], (action, url)


def test_an_action_on_a_jobs_own_page_comes_back_to_it(admin_client):
    job = enqueued("failed")
    response = post(admin_client, "retry", job, from_job=str(job.pk))
    assert response["Location"] == page_of(job)
    asked = post(admin_client, "delete", job, from_job=str(job.pk))
    response = confirmed(admin_client, asked)
    assert response["Location"].startswith(LIST)
    assert row(job) is None


# Errors that jobs share


def failing(*messages: str) -> list[Any]:
    made = [jobs.enqueue(Fail(message)) for message in messages]
    Job.objects.all().update(attempts=24)
    jobs.Worker().work_off()
    return made


def test_errors_that_differ_in_numbers_and_ids_are_counted_together(admin_client):
    failing("post 17 at 0x7f00ab", "post 4 at 0x1", "out of paper")
    groups = admin_client.get(ERRORS).context["groups"]
    assert [(group.count, group.error) for group in groups] == [
        ("2", "RuntimeError: post <n> at <address>"),
        ("1", "RuntimeError: out of paper"),
    ]
    assert groups[0].name == "tests.samples.Fail"
    assert "2 in the last 24 hours" in groups[0].plot


def test_a_group_is_listed_and_retried_or_deleted_as_one(admin_client):
    one, two, other = failing("post 1", "post 2", "out of paper")
    [group, _] = admin_client.get(ERRORS).context["groups"]
    listed = admin_client.get(LIST + group.query).context["cl"].result_list
    assert {job.pk for job in listed} == {one.pk, two.pk}
    data = {"select_across": "1", "f_error": group.key}
    asked = admin_client.post(LIST, {"action": "retry", **data})
    assert "2 jobs" in asked.content.decode()
    assert "failed with <code>RuntimeError: post &lt;n&gt;</code>" in asked.content.decode()
    assert said(confirmed(admin_client, asked), admin_client) == ["2 jobs retried."]
    assert [state_of(job) for job in (one, two, other)] == ["ready", "ready", "failed"]
    Job.objects.filter(pk__in=[one.pk, two.pk]).update(state="failed")
    confirmed(admin_client, admin_client.post(LIST, {"action": "delete", **data}))
    assert [state_of(job) for job in (one, two, other)] == [None, None, "failed"]


def test_a_failure_is_first_and_last_seen_and_by_its_hour(admin_client, standing_clock):
    now = standing_clock.replace(minute=30)
    for hours in (50, 3, 3, 0):
        at = now - dt.timedelta(hours=hours)
        enqueued("failed", error_key="k", finished_at=at, last_error="KeyError: 'a'")
    enqueued("failed", finished_at=now, last_error="from before")
    enqueued("failed", error_key="broken", finished_at=None)
    from jobs.operator import errors

    found = {group.key: group for group in errors.grouped().groups}
    assert found["k"].count == 4
    assert round((now - found["k"].first).total_seconds() / 3600) == 50
    assert abs((now - found["k"].last).total_seconds()) < 1
    assert found["k"].hours == {20: 2, 23: 1}
    assert found[""].count == 1
    assert admin_client.get(ERRORS).status_code == 200


def test_hostile_errors_are_text_and_have_a_group(admin_client):
    failing(HOSTILE, "\ud800 \0 x", "a" * 100_000)
    page = admin_client.get(ERRORS).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert len(admin_client.get(ERRORS).context["groups"]) == 3


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("KeyError: 17", "KeyError: 4", True),
        ("E: 1.5 s", "E: 12.25 s", True),
        ("E: <A object at 0x7f1>", "E: <A object at 0xabc>", True),
        (
            "E: 0f1e2d3c-1111-2222-3333-444455556666",
            "E: AAAAAAAA-1111-2222-3333-444455556666",
            True,
        ),
        ("E: 65f0a1b2c3d4e5f6a7b8c9d0", "E: 65f0a1b2c3d4e5f6a7b8c9d1", True),
        ("E: http://a/1?b", "E: https://c.d:8/x", True),
        ("E: 10.0.0.1", "E: 192.168.77.1", True),
        ("E: a.b@c.de", "E: d@e.fr", True),
        ("KeyError: a", "KeyError: b", False),
        ("KeyError: 1", "ValueError: 1", False),
        ("E: deadbeefcafe", "E: facadefacade", False),  # words
    ],
)
def test_errors_are_alike_but_for_numbers_ids_and_addresses(one, other, alike):
    assert (likeness.key("n", one) == likeness.key("n", other)) == alike
    assert likeness.key("n", one) == likeness.key("n", f"{one}\nTraceback …")
    assert likeness.key("Send 1", one) == likeness.key("Send 2", one) != likeness.key("m", one)
