"""A job tells how far it has come, wherever it is performed."""

from __future__ import annotations

import datetime as dt
import json
import marshal
import math
import os
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command

import jobs
from jobs.models import Job, Progress, State
from jobs.operator import monitoring, reports
from jobs.payloads.reporting import reported_to
from jobs.process.bulletin import Bulletin, Report
from jobs.process.leases import Heartbeat
from jobs.process.reporter import Reporter
from jobs.records import job_key
from tests.processes import in_a_thread, row, wait_for
from tests.samples import append, calls

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Counts(jobs.Performable):
    """Tells its progress until a file appears."""

    log: str
    until: str
    fails: bool = False

    def perform(self) -> None:
        append(self.log, "began")
        step = 0
        while not Path(self.until).exists():
            step += 1
            self.progress(step, 1_000_000, f"step\n{step}")
            time.sleep(0.01)
        append(self.log, f"ended {step}")
        if self.fails:
            raise RuntimeError("after all")

    def reschedule_at(self, now, attempts):
        return now + dt.timedelta(hours=1)


def told(job: Job) -> Progress | None:
    return monitoring.progress_of([row(job)]).get(job.pk)


@pytest.fixture
def _in_one_second(monkeypatch):
    """No second passes between two reports."""
    monkeypatch.setattr("jobs.process.reporter.time", SimpleNamespace(monotonic=lambda: 100.0))


@pytest.mark.parametrize("command", ["jobworker", "runjob"])
def test_progress_is_shown_while_the_job_runs_and_gone_afterwards(start, tmp_path, command):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Counts(str(log), str(go)))
    process = start(command, *([str(job.pk)] if command == "runjob" else []), JOBS_LEASE="3600")
    first = wait_for(lambda: told(job))
    assert first.total == 1_000_000
    assert first.message == f"step\\n{first.done:.0f}"
    assert wait_for(lambda: told(job).done > first.done)
    go.touch()
    wait_for(lambda: row(job) is None)
    if command == "runjob":
        assert process.wait() == 0
    wait_for(lambda: not Progress.objects.exists(), what="the progress goes with the job")


def test_the_next_attempt_begins_without_the_progress_of_the_last(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Counts(str(log), str(go), fails=True))
    worker = start("jobworker", JOBS_LEASE="3600")
    wait_for(lambda: told(job))
    go.touch()
    wait_for(lambda: row(job).attempts > 0)
    worker.send(15)
    assert worker.wait() == 0
    assert told(job) is None
    now = row(job)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING)
    assert told(job) is None, now.epoch  # of an older epoch


def test_it_is_shown_with_the_job(start, tmp_path, capsys):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Counts(str(log), str(go)))
    start("jobworker", JOBS_LEASE="3600")
    wait_for(lambda: told(job))
    call_command("jobs", "show", str(job.pk), "--json")
    shown = json.loads(capsys.readouterr().out)["progress"]
    assert shown["total"] == 1_000_000
    call_command("jobs", "show", str(job.pk))
    assert " of 1,000,000 (0 %): step\\n" in capsys.readouterr().out
    go.touch()


# An execution that was given up


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (30, 120, "30 of 120 (25 %)"),
        (0, 3, "0 of 3 (0 %)"),
        (999, 1000, "999 of 1,000 (99 %)"),
        (10**6 - 1e-3, 10**6, "999,999.999 of 1,000,000 (99 %)"),
        (1000, 1000, "1,000 of 1,000 (100 %)"),
        (1001, 1000, "1,001 of 1,000 (100 %)"),
        (0.25, 0.5, "0.25 of 0.5 (50 %)"),
        (12_345_678_901, 10**15, "12,345,678,901 of 1,000,000,000,000,000 (0 %)"),
        (2**53, None, "9,007,199,254,740,992"),
        (1e22, 1e22, "10,000,000,000,000,000,000,000 of 10,000,000,000,000,000,000,000 (100 %)"),
        (0, 0, "0 of 0"),
        # What nobody told.
        (math.inf, 5, "inf of 5"),
        (math.nan, math.nan, "nan of nan"),
        (1, -5, "1 of -5"),
    ],
)
def test_whole_numbers_have_all_their_digits_and_only_what_is_done_is_100_percent(
    done, total, text
):
    assert reports.progress_text(Progress(done=done, total=total)) == text


def test_an_old_execution_cannot_write_over_a_newer_ones_progress():
    job = jobs.enqueue(Counts("", ""))
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, epoch=3)
    bulletin = Bulletin()

    def write(epoch: int, done: float) -> None:
        bulletin.report(epoch, Report(job_key(job), epoch, done, 10, ""))
        bulletin.carry_out(bulletin.take(0))

    write(2, 9)
    assert told(job) is None
    write(3, 1)
    write(2, 10)
    assert told(job).done == 1


# The rate


@pytest.mark.usefixtures("_in_one_second")
def test_a_job_sends_at_most_one_report_a_second_and_its_last_step_at_once():
    sent = []
    reporter = Reporter(Job(pk=None), sent.append)
    for step in range(1, 1001):
        reporter(step, 1000, "")
    assert [report.done for report in sent] == [1, 1000]
    reporter(1000, 1000, "")
    assert len(sent) == 2


def test_of_several_reports_in_a_second_the_last_one_is_written(monkeypatch):
    written = []
    monkeypatch.setattr("jobs.process.bulletin._put", written.append)
    now = SimpleNamespace(at=100.0)
    monkeypatch.setattr("jobs.process.bulletin.time", SimpleNamespace(monotonic=lambda: now.at))
    bulletin = Bulletin()
    for step in range(5):
        bulletin.report(1, Report("k", 0, step, None, ""))
        bulletin.carry_out(bulletin.take(0))
    assert [[report.done for report in reports] for reports in written] == [[0]]
    assert bulletin.due_at() == 101.0
    now.at = 101.0
    bulletin.report(2, Report("l", 0, 7, None, ""))
    bulletin.carry_out(bulletin.take(0))
    assert [[report.done for report in reports] for reports in written] == [[0], [4, 7]]
    bulletin.forget(1)
    bulletin.report(2, Report("l", 0, 8, None, ""))
    bulletin.forget(2)
    assert bulletin.due_at() == float("inf")


# Without a queue, and what isn't progress


class Plain(jobs.Performable):
    def perform(self) -> list[int]:
        self.progress(1, 2, "half")
        return list(jobs.track([1, 2, 3], desc="items"))


def test_a_job_that_is_called_tells_nobody():
    assert Plain().perform() == [1, 2, 3]
    jobs.progress(1)
    assert not Progress.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("1",), TypeError),
        ((True,), TypeError),
        ((None,), TypeError),
        ((1, "2"), TypeError),
        ((1, 2, b"x"), TypeError),
        ((-1,), ValueError),
        ((float("nan"),), ValueError),
        ((1, float("inf")), ValueError),
        ((10**400,), ValueError),
        ((1, 10**400), ValueError),
    ],
)
def test_nonsense_is_refused_like_any_wrong_argument(arguments, error):
    with pytest.raises(error):
        jobs.progress(*arguments)


class Endless(list[int]):
    def __len__(self) -> int:
        raise TypeError("nobody knows")


@pytest.mark.parametrize(
    ("iterable", "options", "told"),
    [
        ([1, 2], {"desc": None}, (2, "")),
        ([1, 2], {"total": None, "desc": None}, (2, "")),
        ([1, 2], {"total": math.inf}, (None, "")),
        ([1, 2], {"total": Decimal("Infinity"), "desc": "x"}, (None, "x")),
        ([1, 2], {"total": Decimal("2.5")}, (2.5, "")),
        ([1, 2], {"total": Fraction(5, 2)}, (2.5, "")),
        (iter([1, 2]), {}, (None, "")),
        (Endless([1, 2]), {}, (None, "")),
    ],
)
def test_track_takes_what_tqdm_takes_for_what_nobody_knows(iterable, options, told):
    sent = []
    with reported_to(lambda *one: sent.append(one)):
        assert list(jobs.track(iterable, **options)) == [1, 2]
    assert sent == [(done, *told) for done in range(3)]


def test_decimal_numbers_are_numbers():
    sent = []
    with reported_to(lambda *one: sent.append(one)):
        jobs.progress(Decimal("0.5"), Decimal(2), "half")
        for wrong in (Decimal(-1), Decimal("NaN"), Decimal("sNaN"), Decimal("1E+9999")):
            with pytest.raises(ValueError, match="must be a number from 0 on"):
                jobs.progress(wrong)
    assert sent == [(0.5, 2.0, "half")]


class Tracks(jobs.Performable):
    def perform(self) -> None:
        assert list(jobs.track(iter("abc"), total=3, desc="letters", unit="letter")) == list("abc")
        numbers = jobs.track(range(1000))
        assert sum(numbers) == 499_500
        jobs.progress(5, 5, "x" * 10_000 + "\x00\udcff")


def test_track_yields_every_item_and_tells_their_number(monkeypatch):
    sent = []
    monkeypatch.setattr(Heartbeat, "report", lambda self, hold, one: sent.append(one))
    jobs.enqueue(Tracks())
    assert jobs.Worker().work_off() == (1, 0)
    reports = [(one.done, one.total, one.message) for one in sent]
    assert reports[0] == (0, 3, "letters")
    assert (3, 3, "letters") in reports
    assert (1000, 1000, "") in reports
    assert reports[-1] == (5, 5, "x" * 200)


@pytest.mark.usefixtures("_in_one_second")
def test_a_total_of_any_kind_of_number_can_be_sent_with_each_item(monkeypatch):
    sent = []
    monkeypatch.setattr(Heartbeat, "report", lambda self, hold, one: sent.append(one))
    jobs.enqueue(OfAFraction())
    assert jobs.Worker().work_off() == (1, 0)
    assert [(one.done, one.total) for one in sent] == [(0, 3), (3, 3)]
    for one in sent:
        marshal.dumps(tuple(one))  # as to the process that writes it


class OfAFraction(jobs.Performable):
    def perform(self) -> None:
        list(jobs.track("abc", total=Fraction(3)))


class Forks(jobs.Performable):
    def perform(self) -> None:
        child = os.fork()
        if not child:
            jobs.progress(9)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        jobs.progress(1)


def test_a_process_that_the_job_forks_tells_nothing(monkeypatch, tmp_path):
    log = tmp_path / "log"
    monkeypatch.setattr(
        Heartbeat, "report", lambda self, hold, one: append(str(log), f"{one.done:g}")
    )
    jobs.enqueue(Forks())
    assert jobs.Worker().work_off() == (1, 0)
    assert log.read_text().split() == ["1"]


@dataclass
class HasItsOwn(jobs.Performable):
    progress: int  # without a default

    def perform(self) -> None:
        calls.append(self.progress)
        jobs.progress(1, 4)


def test_a_class_may_have_a_field_of_that_name(monkeypatch):
    sent = []
    monkeypatch.setattr(Heartbeat, "report", lambda self, hold, one: sent.append(one.total))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'progress'"):
        HasItsOwn()
    jobs.enqueue(HasItsOwn(7))
    assert jobs.Worker().work_off() == (1, 0)
    assert (calls, sent) == ([7], [4])


async def aprogress() -> None:
    jobs.progress(2, 3)


class Asynchronous(jobs.Performable):
    async def perform(self) -> None:
        await aprogress()


class Method:
    @classmethod
    def tells(cls) -> None:
        jobs.progress(1, 3, "by a method")


def test_a_coroutine_and_a_delayed_method_tell_theirs_too(monkeypatch):
    sent = []
    monkeypatch.setattr(Heartbeat, "report", lambda self, hold, one: sent.append(one))
    jobs.enqueue(Asynchronous(), priority=-1)
    jobs.delay(Method).tells()
    assert jobs.Worker().work_off() == (2, 0)
    assert [(one.done, one.total, one.message) for one in sent] == [
        (2, 3, ""),
        (1, 3, "by a method"),
    ]


def test_a_worker_without_a_keeper_writes_progress_by_a_thread(settings):
    held, go = threading.Event(), threading.Event()

    class Held(jobs.Performable):
        def perform(self) -> None:
            self.progress(4, 8)
            held.set()
            assert go.wait(180)

    globals()["Held"] = Held
    Held.__qualname__ = "Held"
    job = jobs.enqueue(Held())
    with in_a_thread(lambda: jobs.Worker().work_off()):
        try:
            assert held.wait(120)
            assert wait_for(lambda: told(job)).done == 4
        finally:
            go.set()
    assert row(job) is None
