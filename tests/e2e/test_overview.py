"""The overview in a real browser: its numbers, and its refresh."""

from __future__ import annotations

import pytest

import jobs
from batchexec.models import BatchJob
from jobs.models import Activity, Job, State, WorkerRecord
from jobs.operator import pausing
from tests.e2e.browsing import Browser
from tests.e2e.test_browser import failing
from tests.processes import lines, wait_for
from tests.samples import Record, Wait

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "/admin/jobs/job/overview/"
HOSTILE = (
    "<img src=x onerror=document.title='taken-over'><script>document.title='taken-over'</script>"
)
#: The numbers that a chart's columns stand for: their heights on its scale.
DRAWN = """
const plot = document.querySelector(".job-plot");
const top = Number(plot.querySelector(".job-scale span").textContent.replaceAll(",", ""));
const height = plot.querySelector("svg").viewBox.baseVal.height;
return Array.from(plot.querySelectorAll(".job-fill-" + arguments[0]))
  .reduce((sum, one) => sum + one.height.baseVal.value * top / height, 0);
"""
#: Before the page's own scripts: time passes faster for them, and answers are counted.
FASTER = """
const ask = window.fetch;
window.asked = 0;
window.realTimeout = window.setTimeout;
window.setTimeout = (call, pause) => realTimeout(call, pause > 20000 ? pause : pause / 20);
window.fetch = (...given) => { window.asked += 1; return ask(...given); };
"""
HIDE = """
Object.defineProperty(document, "hidden", {configurable: true, get: () => arguments[0]});
document.dispatchEvent(new Event("visibilitychange"));
"""


def table(operator: Browser, css: str) -> list[list[str]]:
    script = (
        "return Array.from(document.querySelectorAll(arguments[0] + ' tbody tr'))"
        ".map((row) => Array.from(row.cells).map((cell) => cell.textContent.trim()))"
    )
    found: list[list[str]] = operator.driver.execute_script(script, css)
    return found


def test_the_charts_show_the_numbers_of_the_database(operator):
    jobs.enqueue_many([Record(number) for number in range(17)], queue="mail")
    assert jobs.Worker(queues=["mail"]).work_off() == (17, 0)
    failing(3)
    counted = Activity.objects.values_list("performed", "failed")
    performed, failed = (sum(numbers) for numbers in zip(*counted, strict=True))
    assert (performed, failed) == (17, 3)

    operator.open(OVERVIEW)
    assert operator.driver.execute_script(DRAWN, "performed") == pytest.approx(17, rel=0.01)
    assert operator.driver.execute_script(DRAWN, "failed") == pytest.approx(3, rel=0.01)
    rows = table(operator, "#overview-points")
    assert rows[0][:3] == ["All", "17", "3"]
    assert sum(int(row[1]) for row in rows[1:]) == 17
    assert [row[:3] for row in table(operator, "#overview-compared")] == [
        ["mail", "17", "0"],
        ["default", "0", "3"],
    ]
    [summary] = {
        one.get_attribute("aria-label")
        for one in operator.driver.find_elements("css selector", "svg.job-chart")[:1]
    }
    assert "17 jobs were performed and 3 failed" in summary
    operator.follow_text("mail")
    assert table(operator, "#overview-points")[0][:3] == ["All", "17", "0"]
    operator.follow_text("The last day")
    assert table(operator, "#overview-points")[0][:3] == ["All", "17", "0"]
    assert operator.complaints() == []


def test_hostile_texts_stay_texts(operator):
    jobs.enqueue_many([Record(), Record()], queue=HOSTILE)
    assert jobs.Worker().work_off(1) == (1, 0)
    Job.objects.update(name=HOSTILE, locked_by=HOSTILE)
    pausing.pause(queue=HOSTILE, reason=HOSTILE)
    operator.open(OVERVIEW)
    assert operator.text("#overview-ready").split() == ["1", "ready"]
    jobs.enqueue(Record(), queue=HOSTILE)
    operator.click("#job-refresh-now")
    operator.wait(lambda _: operator.text("#overview-ready").split() == ["2", "ready"], "a refresh")
    operator.follow("#overview-compared tbody a")
    assert HOSTILE in operator.text("#overview-activity-title")
    assert operator.driver.title != "taken-over"
    assert not operator.driver.find_elements("css selector", "#content img, #content script")
    assert operator.complaints() == []


@pytest.fixture
def faster(operator: Browser) -> Browser:
    """Its pages refresh themselves."""
    operator.driver.execute_script("localStorage.clear()")
    script = {"source": FASTER}
    operator.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    return operator


def asked(operator: Browser) -> int:
    return int(operator.driver.execute_script("return window.asked"))


def test_it_refreshes_itself_and_nobody_loses_his_place(faster, django_user_model):
    operator, driver = faster, faster.driver
    failing(2)
    WorkerRecord.objects.create(name="w", host="h", pid=1, slots=1, lease=3600)
    operator.open(OVERVIEW)
    assert operator.text("#overview-ready").split() == ["0", "ready"]
    operator.click("#overview-points summary")
    driver.execute_script(
        "document.getElementById('overview-failed').focus(); window.scrollTo(0, 300);"
    )
    place = (
        "const read = document.getElementById('overview-activity-title');"
        "return [document.activeElement.id, Math.round(read.getBoundingClientRect().top),"
        " document.getElementById('overview-points').open]"
    )
    before = driver.execute_script(place)
    assert before[0] == "overview-failed"
    jobs.enqueue_many([Record(), Record(), Record()])
    operator.wait(lambda _: operator.text("#overview-ready").split() == ["3", "ready"], "a refresh")
    assert driver.execute_script(place) == before
    Job.objects.filter(state=State.FAILED).update(state=State.CANCELLED)
    # What has the focus is itself replaced.
    operator.wait(lambda _: operator.text("#overview-failed").startswith("0"), "another one")
    assert driver.execute_script(place) == before

    django_user_model.objects.update(is_active=False)
    operator.wait(lambda _: "no longer logged in" in operator.text("#job-refresh-said"), "a word")
    django_user_model.objects.update(is_active=True)
    assert operator.complaints() == []


def test_it_does_not_refresh_while_nobody_sees_it(faster):
    operator, driver = faster, faster.driver
    operator.open(OVERVIEW)
    operator.wait(lambda _: asked(operator) >= 2, "two refreshes")
    driver.execute_script(HIDE, True)
    jobs.enqueue(Record())
    # One may have been on its way. If it went on, there would be three in that time.
    passed(operator, 0.5)
    before = asked(operator)
    passed(operator, 3)
    assert asked(operator) == before
    driver.execute_script(HIDE, False)
    operator.wait(lambda _: asked(operator) > before, "a refresh once it is seen")

    choice = operator.find("#job-refresh-every select")
    choice.send_keys("never")
    driver.refresh()
    assert operator.find("#job-refresh-every select").get_attribute("value") == "0"
    assert operator.complaints() == []


def passed(operator: Browser, seconds: float) -> None:
    """Lets so much of the page's real time go by."""
    script = "const done = arguments[1]; realTimeout(done, arguments[0]);"
    operator.driver.execute_async_script(script, int(seconds * 1000))


def test_it_works_without_scripts(operator):
    jobs.enqueue(Record())
    operator.open(OVERVIEW)
    operator.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    operator.open(OVERVIEW)
    assert not operator.is_seen("#job-refresh-every")
    operator.follow_text("Refresh")
    operator.follow_text("The last day")
    operator.follow_text("By class")
    assert "No job has ended." in operator.text("#overview-compared")
    assert operator.text("#overview-ready").split() == ["1", "ready"]


def test_an_operator_cancels_a_job_in_batch_and_its_container_ends(
    batch, start, operator, tmp_path, monkeypatch
):
    log, long = tmp_path / "log", {"JOBS_LEASE": "3600"}
    monkeypatch.setenv("JOBS_LEASE", "3600")  # of the container
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never"), limit=3600))
    start("jobworker", "--batch", **long)
    wait_for(lambda: lines(log), what="the container began")
    wait_for(lambda: BatchJob.objects.filter(status="RUNNING"), what="AWS Batch said so")
    operator.open(OVERVIEW)
    assert "--batch" in operator.text("#overview-workers")
    assert "1\nrunning" in operator.text("#overview-panel-1")
    operator.follow("#overview-longest tbody a")
    operator.press("Cancel")
    operator.press("Cancel: 1 job")
    assert "1 job cancelled." in operator.text(".messagelist")
    wait_for(lambda: not BatchJob.objects.exists(), what="the Batch job was followed to its end")
    assert batch.calls()["counts"]["TerminateJob"] >= 1
    operator.open(f"/admin/jobs/job/{job.pk}/change/")
    assert operator.text(".job-head .job-state") == "cancelled"
    operator.open(OVERVIEW)
    assert "No job is running." in operator.text("#overview-longest")
    assert operator.complaints() == []
