"""The admin and the page to try the API, in a real browser. SCREENSHOTS=<folder> keeps
a picture of every page.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jobs
from jobs.models import Job, State
from tests.samples import Fail, Record

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium isn't installed")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
PASSWORD = "correct horse battery staple"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (CHROMIUM.exists() and DRIVER.exists()),
        reason=f"{CHROMIUM} or {DRIVER} isn't installed (chromium, chromium-driver)",
    ),
]


class Browser:
    def __init__(self, driver: Any, url: str):
        self.driver = driver
        self.url = url

    def wait(self, condition: Callable[[Any], Any], what: str) -> Any:
        return WebDriverWait(self.driver, 20).until(condition, f"not within 20 s: {what}")

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def find(self, css: str) -> Any:
        """The first such element that is to be seen."""
        return self.wait(
            lambda driver: next(
                (
                    found
                    for found in driver.find_elements(By.CSS_SELECTOR, css)
                    if found.is_displayed()
                ),
                None,
            ),
            css,
        )

    def follow(self, link: Any) -> None:
        """Clicks, and waits for the next page."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        link.click()
        self.wait(
            lambda driver: driver.find_element(By.TAG_NAME, "html") != before, "the next page"
        )

    def follow_text(self, text: str) -> None:
        self.follow(self.wait(lambda driver: driver.find_element(By.LINK_TEXT, text), text))

    def text(self, css: str = "body") -> str:
        return self.find(css).text

    def rows(self) -> list[str]:
        return [
            row.text for row in self.driver.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")
        ]

    def picture(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.driver.set_window_size(1400, max(1000, height + 200))
            self.driver.save_screenshot(f"{folder}/{name}.png")
            self.driver.set_window_size(1400, 1000)

    def complaints(self) -> list[str]:
        """Errors in the browser's console: scripts that failed, files that weren't
        there (but for an icon of the admin).
        """
        errors = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]
        return [error for error in errors if "/favicon.ico" not in error]


@pytest.fixture
def browser(web: str, tmp_path: Path) -> Iterator[Browser]:
    """A browser in front of a server, both new."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield Browser(driver, web)
    finally:
        driver.quit()


@pytest.fixture
def operator(browser: Browser, django_user_model: Any) -> Browser:
    """A browser that is logged in to the admin."""
    django_user_model.objects.create_superuser("operator", password=PASSWORD)
    browser.open("/admin/")
    browser.find("#id_username").send_keys("operator")
    browser.find("#id_password").send_keys(PASSWORD)
    browser.follow(browser.find("input[type=submit]"))
    return browser


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
    operator.follow_text("Failed")
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


def test_the_api_can_be_tried_on_its_page(browser):
    browser.open("/docs")
    browser.wait(
        lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".opblock")) >= 12,
        "the API's operations",
    )
    browser.picture("docs")
    browser.find("#operations-posts-posts_list .opblock-summary-control").click()
    browser.find("#operations-posts-posts_list .try-out__btn").click()
    browser.find("#operations-posts-posts_list .execute").click()
    assert browser.text(
        "#operations-posts-posts_list .live-responses-table .response .response-col_status"
    ).startswith("200")
    browser.picture("docs-tried")
    assert browser.complaints() == []
