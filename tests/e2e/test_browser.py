"""The admin and the page to try the API, in a real browser. SCREENSHOTS=<folder> keeps
a picture of every page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

import jobs
from jobs.models import Job, State
from tests.e2e.browsing import By
from tests.samples import Fail, Record

#: Jobs among which one is looked for; `test_many.py` has more.
MANY = 200

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Print(jobs.Performable):
    """Fails unless there is paper."""

    paper: str

    def perform(self) -> None:
        if not Path(self.paper).exists():
            raise RuntimeError("out of paper")


def test_an_operator_finds_out_why_a_job_failed(operator):
    jobs.enqueue_many([Record(number) for number in range(3)], queue="mail")
    failed = jobs.enqueue(Fail("out of paper"), priority=7)
    Job.objects.filter(pk=failed.pk).update(attempts=24)
    assert jobs.Worker(queues=["default"]).work_off() == (0, 1)
    hostile = (
        "<img src=x "
        "onerror=document.title='taken-over'><script>document.title='taken-over'</script>"
    )
    broken = jobs.enqueue(Record())
    Job.objects.filter(pk=broken.pk).update(
        name=hostile,
        state=State.FAILED,
        handler='{"class": "posts.gone.Publish", "fields": {"text": "' + hostile + '"}}',
    )

    operator.follow_text("Jobs")
    assert len(operator.rows()) == 5
    operator.picture("list")
    operator.follow_text("Failed 2")
    assert len(operator.rows()) == 2
    operator.picture("failed")

    operator.follow_text("tests.samples.Fail")
    shown = operator.text("#content")
    assert "RuntimeError: out of paper\nTraceback (most recent call last):" in shown
    assert '"class": "tests.samples.Fail"' in shown
    operator.picture("job-with-an-error")

    operator.driver.back()
    operator.follow_text(hostile)
    shown = operator.text("#content")
    assert "Its signature doesn't hold" in shown
    assert hostile in shown
    operator.picture("job-without-a-valid-signature")
    assert operator.driver.title != "taken-over"

    operator.open("/admin/jobs/job/nonsense/change/")
    assert "“nonsense”" in operator.text(".messagelist")
    assert operator.complaints() == []


def test_an_operator_goes_from_a_job_to_its_batch_job_and_back(operator):
    from batchexec.models import BatchJob

    job = jobs.enqueue(Record())
    BatchJob.objects.create(
        job_id=str(job.pk),
        epoch=0,
        job_name="delayed-job-x",
        job_queue="q",
        job_definition="d:1",
        batch_job_id="b-1",
        status="RUNNING",
    )
    operator.open(f"/admin/jobs/job/{job.pk}/change/")
    operator.picture("job-in-batch")
    operator.follow_text("Batch job b-1")
    assert "RUNNING" in operator.text("#content")
    operator.picture("marker")
    operator.follow_text(str(job.pk))
    assert "tests.samples.Record" in operator.text("#content")
    operator.open("/admin/batchexec/batchjob/")
    operator.picture("markers")
    assert len(operator.rows()) == 1
    assert operator.complaints() == []


def failing(number: int = 1, **options: Any) -> list[Any]:
    """Jobs that have failed for good."""
    made = jobs.enqueue_many([Fail(f"page {n} is lost") for n in range(number)], **options)
    Job.objects.filter(pk__in=[job.pk for job in made]).update(attempts=24)
    jobs.Worker(queues=["default"]).work_off(number)
    return made


def retry_and_see_it_succeed(operator, paper):
    """On the page of a `Print` that failed."""
    assert "RuntimeError: out of paper" in operator.text(".job-error")
    paper.touch()
    operator.press("Retry now")
    assert "1 job retried." in operator.text(".messagelist")
    assert operator.text(".job-head .job-state") == "ready"
    assert jobs.Worker().work_off(1) == (1, 0)
    operator.driver.refresh()
    assert operator.text(".job-head .job-state") == "succeeded"


def test_an_operator_retries_a_failed_job_and_sees_it_succeed(operator, tmp_path, settings):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 3600}
    paper = tmp_path / "paper"
    job = jobs.enqueue(Print(str(paper)))
    Job.objects.filter(pk=job.pk).update(attempts=24)
    jobs.Worker().work_off(1)
    others = [Fail(f"page {number} is lost") for number in range(MANY)]
    jobs.enqueue_many(others, queue="mail", returning=False)
    error = "RuntimeError: page is lost\nTraceback (most recent call last):"
    Job.objects.filter(queue="mail").update(
        state=State.FAILED, last_error=error, finished_at=timezone.now()
    )

    operator.follow_text("Overview of the jobs")
    assert operator.text("#overview-failed").split() == [f"{MANY + 1:,}", "failed"]
    operator.follow("#overview-failed")
    assert len(operator.rows()) == 50
    operator.find("#searchbar").send_keys("out of paper")
    operator.press("Filter")
    assert len(operator.rows()) == 1
    operator.follow_text("tests.e2e.test_browser.Print")
    retry_and_see_it_succeed(operator, paper)
    operator.picture("job-succeeded")
    assert operator.complaints() == []


def test_an_operator_deletes_all_that_match_and_no_other(operator):
    others = failing(2)
    Job.objects.filter(pk__in=[job.pk for job in others]).update(queue="mail")
    failing(120)
    operator.open("/admin/jobs/job/?state=failed&queue=default")
    delete = operator.find("button[value=delete]")
    assert not delete.is_enabled()
    operator.click("#action-toggle")
    assert operator.text(".job-ticked") == "50 ticked jobs"
    operator.click("#result_list .action-select")
    assert operator.text(".job-ticked") == "49 ticked jobs"
    operator.click("input[name=select_across]")
    assert "all 120 that match" in operator.text(".job-which")
    operator.press("Delete")
    assert "120 jobs" in operator.text("h1")
    operator.picture("delete-all-that-match")
    assert Job.objects.count() == 122
    operator.press("Delete: 120 jobs")
    assert "120 jobs deleted." in operator.text(".messagelist")
    assert set(Job.objects.values_list("pk", flat=True)) == {job.pk for job in others}
    assert operator.complaints() == []


def test_errors_that_are_alike_are_one_row_and_are_retried_together(operator):
    failing(7)
    operator.open("/admin/jobs/job/")
    operator.follow("a[href='errors/']")
    [row] = operator.rows()
    assert "RuntimeError: page <n> is lost" in row
    assert row.startswith("7")
    operator.picture("errors")
    operator.press("Retry now")
    operator.press("Retry now: 7 jobs")
    assert "7 jobs retried." in operator.text(".messagelist")
    assert Job.objects.filter(state="ready").count() == 7
    assert operator.complaints() == []


def test_every_page_can_be_read_on_a_phone_and_in_the_dark(looking):
    operator, kind = looking
    [job] = failing()
    jobs.enqueue_many([Record("x" * 200) for _ in range(3)])
    long = "RuntimeError: " + "nowhere_to_break_" * 30
    Job.objects.filter(state="ready").update(state="failed", last_error=long)
    pages = {
        "list": "/admin/jobs/job/?state=failed",
        "job": f"/admin/jobs/job/{job.pk}/change/",
        "errors": "/admin/jobs/job/errors/",
    }
    for name, path in pages.items():
        operator.open(path)
        assert not operator.is_wider_than_the_screen(), name
        assert operator.nameless() == [], name
        assert operator.faint() == [], name
        operator.picture(f"{name}-{kind}")
    operator.open(pages["list"])
    for part in (".job-state", ".job-name", ".field-why", "button[value=retry]", ".action-select"):
        assert operator.is_seen(part), part
    operator.click(".action-select")
    operator.press("Delete")
    assert not operator.is_wider_than_the_screen()
    assert (operator.nameless(), operator.faint()) == ([], [])
    operator.picture(f"confirm-{kind}")
    assert operator.complaints() == []


def test_the_api_can_be_tried_on_its_page(browser):
    browser.open("/docs")
    browser.wait(
        lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".opblock")) >= 12,
        "the API's operations",
    )
    browser.picture("docs")
    browser.click("#operations-posts-posts_list .opblock-summary-control")
    browser.click("#operations-posts-posts_list .try-out__btn")
    browser.click("#operations-posts-posts_list .execute")
    assert browser.text(
        "#operations-posts-posts_list .live-responses-table .response .response-col_status"
    ).startswith("200")
    browser.picture("docs-tried")
    assert browser.complaints() == []
