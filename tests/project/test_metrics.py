from __future__ import annotations

import datetime as dt
import json
import re
import urllib.request
from types import SimpleNamespace

import pytest
import yaml
from django.db import OperationalError, connection
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families

import jobs
import jobs.metrics
from batchexec.aws import calls
from batchexec.aws.client import BatchClient
from batchexec.models import BatchJob
from jobs.models import Activity, WorkerRecord
from jobs.operator import monitoring
from jobs.records import RAN
from jobs.store import store_for
from tests.handlers import set_rows
from tests.processes import wait_for
from tests.samples import Fail, Record
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)


def scraped(client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples by name and labels, as Prometheus' own parser reads them."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return samples(response.content.decode())


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


@pytest.fixture
def one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters don't begin anew, should it become midnight during the test."""
    now = store_for(Activity).now()

    def store_on_that_day(model):
        return SimpleNamespace(now=lambda: now) if model is Activity else store_for(model)

    monkeypatch.setattr(jobs.metrics, "store_for", store_on_that_day)


def test_the_queues_and_what_waits_in_batch_are_told(client):
    hostile = 'a"b\\n\n{x="y"} 1'
    jobs.enqueue(Record(), queue=hostile)
    BatchJob.objects.create(
        job_id="1", epoch=0, job_name="n", job_queue="q", job_definition="d:1", status="RUNNABLE"
    )
    found = scraped(client)
    assert found[key("jobs", queue=hostile, state="ready")] == 1
    assert found[key("batch_jobs", status="RUNNABLE")] == 1
    assert key("jobs_oldest_due_seconds") in found
    assert key("batch_jobs_oldest_waiting_seconds") in found


def test_running_jobs_whose_lease_has_expired_are_counted(client):
    now = store_for(jobs.Job).now()
    for ago in (0, 3600):
        job = jobs.enqueue(Record())
        locked = {"state": "running", "locked_at": now - dt.timedelta(seconds=ago)}
        jobs.Job.objects.filter(pk=job.pk).update(**locked, locked_by="w")
    assert scraped(client)[key("jobs_leases_expired")] == 1


def test_an_empty_queue_is_no_error(client):
    assert scraped(client)[key("jobs_oldest_due_seconds")] == 0


@pytest.mark.usefixtures("one_day")
def test_what_became_of_jobs_is_counted_with_how_long_they_waited_and_ran(client, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 2}
    jobs.enqueue_many([Record(), Record(), Fail()], queue="mail")
    jobs.Worker().work_off(3)  # and no more, should the failed one be due again by then
    set_rows(run_at=dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc))
    jobs.Worker().work_off(1)
    found = scraped(client)
    good, bad = "tests.samples.Record", "tests.samples.Fail"
    assert found[key("jobs_performed_total", queue="mail", job=good)] == 2
    assert found[key("jobs_retried_total", queue="mail", job=bad)] == 1
    assert found[key("jobs_failed_total", queue="mail", job=bad)] == 1
    assert found[key("jobs_run_seconds_count", queue="mail")] == 4
    assert found[key("jobs_run_seconds_bucket", queue="mail", le="+Inf")] == 4
    assert found[key("jobs_run_seconds_sum", queue="mail")] > 0
    bounds = [found[one] for one in found if one[0] == "jobs_wait_seconds_bucket"]  # in their order
    assert bounds == sorted(bounds)
    assert found[key("jobs_wait_seconds_bucket", queue="mail", le="14400.0")] == 3


def test_counters_begin_at_midnight_and_never_fall_before_the_next(client, monkeypatch):
    """Whatever older activity is deleted meanwhile."""
    now = dt.datetime(2026, 11, 26, 0, 30, tzinfo=dt.timezone.utc)
    monkeypatch.setattr(type(store_for(Activity)), "now", lambda self: now)
    for minute in (now - dt.timedelta(hours=1), now - dt.timedelta(minutes=30), now):
        Activity.objects.create(
            key=str(minute), minute=minute, queue="q", name="N", performed=5, **{RAN[3]: 5}
        )
    counter = key("jobs_performed_total", queue="q", job="N")
    assert scraped(client)[counter] == 10
    Activity.objects.order_by("minute").first().delete()
    assert scraped(client)[counter] == 10


@pytest.mark.usefixtures("one_day")
def test_more_classes_than_a_scraper_can_bear_are_counted_without_their_names(client, monkeypatch):
    monkeypatch.setattr(jobs.metrics, "MOST_SERIES", 3)
    monkeypatch.setattr(jobs.metrics, "MOST_QUEUES", 3)
    now = store_for(Activity).now()
    for number in range(9):
        Activity.objects.create(
            key=str(number), minute=now, queue=f"q{number}", name="N", performed=1, **{RAN[3]: 1}
        )
        jobs.enqueue(Record(), queue=f"q{number}")
    found = scraped(client)
    for name in ("jobs_performed_total", "jobs_run_seconds_count", "jobs"):
        counts = [value for one, value in found.items() if one[0] == name]
        assert len(counts) == 4
        assert sum(counts) == 9


def test_workers_are_counted_with_their_places_and_the_silent_apart(client):
    now = store_for(WorkerRecord).now()
    long_ago = now - dt.timedelta(hours=1)
    for name, batch, seen in (("a", False, now), ("b", True, now), ("c", True, long_ago)):
        WorkerRecord.objects.create(
            name=name, host="h", pid=1, slots=4, in_hand=3, hands_over=batch, lease=60, seen_at=seen
        )
    found = scraped(client)
    assert found[key("jobs_workers", batch="true")] == 1
    assert found[key("jobs_workers", batch="false")] == 1
    assert found[key("jobs_worker_slots", batch="true")] == 4
    assert found[key("jobs_worker_slots_in_use", batch="false")] == 3
    assert found[key("jobs_workers_silent")] == 1


def test_a_scrape_costs_the_same_however_many_jobs_there_are(client, django_assert_max_num_queries):
    jobs.enqueue_many([Record() for _ in range(50)])
    with django_assert_max_num_queries(20):
        client.get("/metrics")


def test_a_database_that_is_away_is_what_a_scraper_takes_for_down(monkeypatch):
    unreachable: type[Exception] = OperationalError
    if connection.vendor in ("mongodb", "djongo"):
        from pymongo.errors import AutoReconnect as unreachable

    def away(*args: object) -> None:
        raise unreachable("connection refused")

    monkeypatch.setattr(monitoring, "workers", away)
    response = jobs.metrics.view(RequestFactory().get("/metrics"))
    assert response.status_code == 503
    assert b"The database can't be reached: connection refused" in response.content


def test_it_is_not_served_unless_it_is_asked_for(client, settings):
    settings.METRICS = False
    assert client.get("/metrics").status_code == 404


def test_calls_to_aws_batch_are_counted_by_what_it_answers(batch):
    before = calls.made()
    client = BatchClient()
    client.describe(["no-such-job"])
    batch.set_faults(["DescribeJobs:429:times=1"])
    client.describe(["no-such-job"])
    batch.set_faults(["DescribeJobs:503-before:times=1"])
    client.describe(["no-such-job"])
    batch.set_faults(["DescribeJobs:reset-before:times=1"])
    client.describe(["no-such-job"])
    after = calls.made()
    made = {one: after[one] - before.get(one, 0) for one in after}
    assert {
        answer: made["DescribeJobs", answer] for answer in ("ok", "throttled", "failed", "none")
    } == {
        "ok": 4,
        "throttled": 1,
        "failed": 1,
        "none": 1,
    }


def test_a_worker_serves_the_figures_of_its_process(start):
    port = free_port()
    worker = start("jobworker", "--metrics-port", str(port), "--name", "w")
    url = f"http://127.0.0.1:{port}/metrics"

    def served() -> str:
        try:
            return urllib.request.urlopen(url).read().decode()
        except OSError:
            assert worker.popen.poll() is None, worker.output
            return ""

    text = wait_for(served, what="the worker serves its figures")
    assert "# TYPE batch_api_calls_total counter" in text
    assert "process_resident_memory_bytes" in text
    second = start("jobworker", "--metrics-port", str(port))
    assert second.wait() == 1
    assert (
        f"Port {port} of 127.0.0.1 can't be listened on: Address already in use." in second.output
    )


# What docs/monitoring/ asks Prometheus for

#: The names of our figures in PromQL.
WORD = re.compile(r"\b(?:jobs|batch)_[a-z_]+\b|\bjobs(?=[{ ])")


def exported(client) -> set[str]:
    jobs.enqueue(Record())
    jobs.Worker().work_off()
    jobs.enqueue(Record())
    BatchJob.objects.create(
        job_id="1", epoch=0, job_name="n", job_queue="q", job_definition="d:1", status="RUNNABLE"
    )
    served = {name for name, _ in scraped(client)}
    return served | {"batch_api_calls_total"}


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "docs/monitoring/grafana.json").read_text())
    rules = yaml.safe_load((ROOT / "docs/monitoring/alerts.yaml").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*found, *(rule["expr"] for group in rules["groups"] for rule in group["rules"])]


@pytest.mark.usefixtures("one_day")
def test_dashboard_and_alerts_ask_for_figures_that_exist(client):
    known = exported(client)
    asked = {name for text in expressions() for name in WORD.findall(text)}
    assert asked - known == set()
    for name in (
        "jobs",
        "jobs_performed_total",
        "jobs_failed_total",
        "jobs_retried_total",
        "jobs_run_seconds_bucket",
        "jobs_wait_seconds_bucket",
        "jobs_workers",
        "batch_jobs",
        "batch_api_calls_total",
        "jobs_oldest_due_seconds",
    ):
        assert name in asked


def test_every_alert_says_what_to_do():
    rules = yaml.safe_load((ROOT / "docs/monitoring/alerts.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule["annotations"]) == {"summary", "description"}
            assert "manage.py" in rule["annotations"]["description"]
