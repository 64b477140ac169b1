"""Markers in Django's admin, and the way between a job and its marker."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

import jobs
from batchexec.aws.console import console_for
from batchexec.models import BatchExecutionRecord, BatchJob
from tests.batchexec.local_helpers import Batch
from tests.jobs.test_admin_actions import user_with
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


def traced(job: Any, **fields: Any) -> BatchExecutionRecord:
    wanted = {
        "job_id": str(job.pk),
        "epoch": 0,
        "job_name": "delayed-job",
        "job_queue": "q",
        "job_definition": "d:1",
    }
    return BatchExecutionRecord.objects.create(**{**wanted, **fields})


def test_a_jobs_page_says_what_aws_batch_said_of_its_executions(admin_client):
    job, _ = marked(
        batch_job_id="b-2",
        status="RUNNABLE",
        status_reason="no capacity",
        job_queue="arn:aws-cn:batch:cn-north-1:123456789012:job-queue/jobs",
        epoch=1,
    )
    traced(
        job,
        batch_job_id="b-1",
        status="FAILED",
        status_reason="Host EC2 terminated",
        reason="OutOfMemoryError",
        exit_code=137,
        vcpu="2",
        memory="4096",
        log_stream="jobs/default/b 1",
    )
    page = admin_client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    for expected in (
        "RUNNABLE",
        "no capacity",
        "Host EC2 terminated",
        "OutOfMemoryError",
        "137",
        "2 vCPU, 4096 MiB",
        "https://console.amazonaws.cn/batch/home?region=cn-north-1#jobs/detail/b-2",
        "https://us-east-1.console.aws.amazon.com/batch/home?region=us-east-1#jobs/detail/b-1",
        "/log-group/$252Faws$252Fbatch$252Fjob/log-events/jobs$252Fdefault$252Fb%201".replace(
            "%20", "$2520"
        ),
    ):
        assert expected in page, expected


def test_what_the_user_may_not_see_of_aws_batch_is_not_on_a_jobs_page(client, django_user_model):
    job, _ = marked(batch_job_id="b-2", status="RUNNABLE", log_stream="a/b/c")
    client.force_login(user_with(django_user_model))
    page = client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "RUNNABLE" not in page
    assert client.get(log_of(BatchJob.objects.get())).status_code == 403


@pytest.mark.parametrize(
    ("names", "region", "expected"),
    [
        ((), "eu-west-1", "https://eu-west-1.console.aws.amazon.com/batch/home?region=eu-west-1#"),
        ((), "us-gov-west-1", "https://console.amazonaws-us-gov.com/batch/home?region=us-gov-w"),
        ((), "cn-northwest-1", "https://console.amazonaws.cn/batch/home?region=cn-northwest-1#"),
        ((), "us-iso-east-1", None),
        ((), "", None),
        ((), "x.evil.example/", None),
        (
            ("q", "arn:aws-us-gov:batch:us-gov-east-1:123456789012:job-definition/d:1"),
            "eu-west-1",
            "https://console.amazonaws-us-gov.com/batch/home?region=us-gov-east-1#",
        ),
        (("arn:aws-iso:batch:us-iso-east-1:123456789012:job-queue/q",), "eu-west-1", None),
        (("arn:aws:batch:EVIL:123456789012:x",), "eu-west-1", "https://eu-west-1.console.aws."),
    ],
)
def test_links_lead_to_the_console_of_the_partition_and_region(
    monkeypatch, names, region, expected
):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    console = console_for(names)
    assert (console is None) == (expected is None)
    if console is not None:
        assert console.job("b/1").startswith(expected)
        assert console.job("b/1").endswith("#jobs/detail/b%2F1")


def log_of(row: Any) -> str:
    return reverse(f"admin:batchexec_{row._meta.model_name}_log", args=[row.pk])


def test_the_last_lines_of_a_log_are_read_on_demand(admin_client, server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
    aws = Batch(server.url)
    batch_job_id = aws.python("import sys; print('one'); print('\\x1b[2J<b>two'); sys.exit(3)")
    aws.until_status(batch_job_id, "FAILED")
    job = jobs.enqueue(Record("x"))
    trace = traced(job, batch_job_id=batch_job_id)
    page = admin_client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert f'href="{log_of(trace)}"' in page
    answer = admin_client.get(log_of(trace))
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.decode() == "one\n\\x1b[2J<b>two"


@pytest.mark.parametrize("fields", [{}, {"log_stream": "jobs/default/gone"}, {"batch_job_id": "x"}])
def test_a_log_that_is_not_there_is_a_sentence(admin_client, server, monkeypatch, fields):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
    _, marker = marked(**fields)
    answer = admin_client.get(log_of(marker))
    assert answer.status_code == 502
    assert answer.content.decode().strip().endswith((".", ")"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    if fields:
        assert admin_client.get(log_of(marker)).status_code == 502


OVERVIEW = reverse("admin:jobs_job_overview")


def test_the_overview_counts_batch_jobs_and_says_why_the_longest_waiting_wait(admin_client):
    now = timezone.now()
    reason = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    young, _ = marked(status="RUNNABLE", batch_job_id="b-2", submitted_at=now)
    old, _ = marked(
        status="RUNNABLE",
        status_reason=reason,
        batch_job_id="b-1",
        job_queue="arn:aws:batch:eu-central-1:123456789012:job-queue/films",
        submitted_at=now - dt.timedelta(hours=3),
    )
    marked(status="RUNNING", batch_job_id="b-3")
    marked(status_reason=HOSTILE, submitted_at=now - dt.timedelta(hours=1))
    marked(job_id="", status="PENDING")
    response = admin_client.get(OVERVIEW)
    [panel] = response.context_data["panels"]
    counts = {label: number for label, number in panel.figures if number != "0"}
    assert counts == {"being submitted": "1", "pending": "1", "runnable": "2", "running": "1"}
    first, second = panel.rows[:2]
    assert (str(old.pk) in first[1], first[2], first[4:]) == (True, "RUNNABLE", (reason, "films"))
    assert second[2] == "being submitted"
    assert len(panel.rows) == 4
    assert str(young.pk) in {job for row in panel.rows for job in re.findall(r">(.+)</a>", row[1])}
    text = response.content.decode()
    assert "AWS Batch gives no reason." in text
    assert HOSTILE not in text


def test_who_may_not_see_batch_jobs_sees_none_on_the_overview(client, django_user_model):
    marked(status="RUNNABLE", batch_job_id="b-1")
    client.force_login(user_with(django_user_model))
    response = client.get(OVERVIEW)
    assert response.status_code == 200
    assert response.context_data["panels"] == []
    assert "b-1" not in response.content.decode()
