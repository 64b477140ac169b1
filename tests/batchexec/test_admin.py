"""Markers in Django's admin, and the way between a job and its marker."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

import jobs
from batchexec.models import BatchJob
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:batchexec_batchjob_changelist")
HOSTILE = "<script>alert('x')</script>"


def marked(**fields: Any) -> tuple[Any, BatchJob]:
    job = jobs.enqueue(Record("x"))
    wanted = {
        "job_id": str(job.pk),
        "epoch": 0,
        "job_name": f"delayed-job-{job.pk}",
        "job_queue": "q",
        "job_definition": "d:1",
    }
    return job, BatchJob.objects.create(**{**wanted, **fields})


def page_of(marker: BatchJob) -> str:
    return reverse("admin:batchexec_batchjob_change", args=[marker.pk])


def listed(client: Any, **query: str) -> set[Any]:
    response = client.get(LIST, query)
    assert response.status_code == 200, response.get("Location")
    return {marker.pk for marker in response.context["cl"].result_list}


def test_markers_are_listed_filtered_and_searched(admin_client):
    job, submitting = marked()
    _, failed = marked(
        batch_job_id="0f1e-batch",
        state="submitted",
        status="FAILED",
        status_reason="Spot reclaim",
        log_stream="jobs/default/7",
    )
    assert listed(admin_client) == {submitting.pk, failed.pk}
    assert listed(admin_client, state__exact="submitting") == {submitting.pk}
    assert listed(admin_client, status="FAILED") == {failed.pk}
    for words, expected in [
        ("0f1e", failed),
        ("spot", failed),
        (str(failed.pk), failed),
        ("(", None),
    ]:
        assert listed(admin_client, q=words) == ({expected.pk} if expected else set())
    if not isinstance(job.pk, int):  # small numbers are ids of markers, too
        assert listed(admin_client, q=str(job.pk)) == {submitting.pk}
    page = admin_client.get(LIST).content.decode()
    for shown in ("0f1e-batch", "FAILED", "Spot reclaim", "jobs/default/7"):
        assert shown in page
        assert shown in admin_client.get(page_of(failed)).content.decode()


def test_a_job_and_its_marker_lead_to_each_other(admin_client):
    job, marker = marked(batch_job_id="0f1e-batch")
    job_page = reverse("admin:jobs_job_change", args=[job.pk])
    assert (
        f'<a href="{page_of(marker)}">Batch job 0f1e-batch</a>'
        in admin_client.get(job_page).content.decode()
    )
    for url in (page_of(marker), LIST):
        assert f'<a href="{job_page}">{job.pk}</a>' in admin_client.get(url).content.decode()
    unmarked = jobs.enqueue(Record("y"))
    assert (
        ">Batch job "
        not in admin_client.get(
            reverse("admin:jobs_job_change", args=[unmarked.pk])
        ).content.decode()
    )


def test_hostile_text_is_escaped(admin_client):
    _, marker = marked(
        job_id=f"{HOSTILE}/..",
        status_reason=HOSTILE,
        log_stream=HOSTILE,
        batch_job_id=HOSTILE,
        status="<b>",
    )
    for url in (LIST, page_of(marker)):
        page = admin_client.get(url).content.decode()
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page


def test_a_marker_without_a_job_is_shown(admin_client):
    _, marker = marked(job_id="")
    assert admin_client.get(LIST).status_code == 200
    assert admin_client.get(page_of(marker)).status_code == 200


def test_nothing_can_be_added_edited_or_deleted(admin_client):
    _, marker = marked()
    assert admin_client.get(reverse("admin:batchexec_batchjob_add")).status_code == 403
    assert admin_client.post(page_of(marker), {"state": "submitted"}).status_code == 403
    assert (
        admin_client.post(
            reverse("admin:batchexec_batchjob_delete", args=[marker.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    admin_client.post(
        LIST, {"action": "delete_selected", "post": "yes", "_selected_action": [str(marker.pk)]}
    )
    assert BatchJob.objects.get().state == "submitting"


def test_an_id_of_no_marker_is_no_error_of_the_server(admin_client):
    for pk in ("0", "nonsense", "9" * 40, "a%FFb", "%00"):
        assert admin_client.get(f"{LIST}{pk}/change/").status_code in (302, 404), pk
