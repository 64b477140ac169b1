"""In a real browser, one failed job among very many is found and run again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

import jobs
from bench.rows import fill
from jobs import likeness
from jobs.models import Job, State
from tests.e2e.test_browser import Print, retry_and_see_it_succeed

pytestmark = pytest.mark.django_db(transaction=True)

#: More than a search looks at unless it is told to.
MANY = 200_000
ERROR = "TimeoutError: the provider did not answer within 30 s\nTraceback (most recent call last):"


def test_one_failed_job_among_very_many_is_found_read_retried_and_succeeds(
    operator, tmp_path, settings
):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 3600}
    paper = tmp_path / "paper"
    job = jobs.enqueue(Print(str(paper)))
    Job.objects.filter(pk=job.pk).update(attempts=24)
    assert jobs.Worker().work_off(1) == (0, 1)
    # All of the others failed after it, so it is on the very last page.
    fill("failed", MANY)
    later = timezone.now() + dt.timedelta(minutes=1)
    key = likeness.key("bench.noop.NoOp", ERROR)
    others = Job.objects.filter(state=State.FAILED).exclude(pk=job.pk)
    assert others.update(last_error=ERROR, error_key=key, finished_at=later, queue="mail") == MANY

    operator.follow_text("Overview of the jobs")
    operator.follow("#overview-failed")
    assert len(operator.rows()) == 50
    operator.find("#searchbar").send_keys("out of paper")
    operator.press("Filter")
    # It says that it hasn't looked at all of them, and does if it is told to.
    assert operator.rows() == []
    assert "Looked at the first 10,000 jobs only" in operator.text("#content")
    operator.follow_text("look at a million")
    assert len(operator.rows()) == 1
    # By its error it is found at once, however many have failed.
    operator.open("/admin/jobs/job/errors/")
    [many, one] = operator.rows()
    assert many.split()[0] == f"{MANY:,}"
    assert one.split()[0] == "1"
    operator.follow("#result_list tbody tr:nth-child(2) a")
    assert len(operator.rows()) == 1
    operator.follow_text("tests.e2e.test_browser.Print")
    retry_and_see_it_succeed(operator, paper)
    assert operator.complaints() == []
