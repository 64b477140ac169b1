from __future__ import annotations

import pytest

import jobs
from batchexec.models import BatchJob
from tests.samples import Record

pytestmark = pytest.mark.django_db


def test_the_queues_and_what_waits_in_batch_are_told(client):
    jobs.enqueue(Record(), queue='a"b')
    BatchJob.objects.create(
        job_id="1", epoch=0, job_name="n", job_queue="q", job_definition="d:1", status="RUNNABLE"
    )
    response = client.get("/metrics")
    assert response.status_code == 200
    text = response.content.decode()
    assert 'jobs{queue="a\\"b",state="ready"} 1.0' in text
    assert 'batch_jobs{status="RUNNABLE"} 1.0' in text
    for name in ("jobs_oldest_due_seconds", "batch_jobs_oldest_waiting_seconds"):
        assert f"\n{name} " in text


def test_an_empty_queue_is_no_error(client):
    assert "jobs_oldest_due_seconds 0.0" in client.get("/metrics").content.decode()


def test_it_is_not_served_unless_it_is_asked_for(client, settings):
    settings.METRICS = False
    assert client.get("/metrics").status_code == 404
