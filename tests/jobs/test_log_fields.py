"""Every record about a job says which one; what nobody can encode or print is still one
record of the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import jobs
from jobs.logs import FIELDS, JsonFormatter, LineFormatter, about
from tests.handlers import set_rows
from tests.samples import Fail

pytestmark = pytest.mark.django_db(transaction=True)

own = logging.getLogger("tests.own")
NOTHING = dict.fromkeys(FIELDS, "")
HOSTILE = "x\n2026-11-26 00:00:00,000 CRITICAL forged\r\x1b[2J\u2028\x85\ud800end\x00"


@dataclass
class Speaks(jobs.Performable):
    """Logs in its thread, in a coroutine, in a task and in asyncio's threads."""

    lines: int = 1

    async def perform(self) -> None:
        for _ in range(self.lines):
            own.info("in a coroutine")
            await asyncio.gather(self._say("in a task"), asyncio.to_thread(own.info, "in a thread"))

    async def _say(self, text: str) -> None:
        await asyncio.sleep(0)
        own.info(text)

    def before(self) -> None:
        own.info("in a hook")


@dataclass
class Enqueues(jobs.Performable):
    def perform(self) -> None:
        own.info("before")
        jobs.enqueue(Speaks(0))
        own.info("after")


def fields_of(job, worker, attempt=1):
    return {
        "job_id": str(job.pk),
        "job_name": job.name,
        "queue": job.queue,
        "attempt": attempt,
        "epoch": job.epoch,
        "worker": worker.name,
        "batch_job_id": "",
    }


def test_all_that_the_queue_and_the_job_log_has_its_fields(kept):
    job = jobs.enqueue(Speaks(), queue="mail")
    worker = jobs.Worker()
    assert worker.work_off() == (1, 0)
    expected = fields_of(job, worker)
    assert kept.fields("tests.own") == [expected] * 4
    assert kept.fields("jobs.process.executor") == [expected]
    assert kept.fields("jobs.execution.outcomes") == [expected]
    assert kept.of("jobs.execution.outcomes")[0].run_seconds > 0
    own.info("nobody's")
    assert kept.fields("tests.own")[-1] == NOTHING


def test_a_failed_attempt_is_logged_with_its_number_and_one_traceback(kept, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 2}
    job = jobs.enqueue(Fail(HOSTILE))
    worker = jobs.Worker()
    worker.work_off()
    set_rows(run_at=job.created_at)
    worker.work_off()
    outcomes = kept.of("jobs.execution.outcomes")
    assert [record.attempt for record in outcomes] == [1, 2, 2]
    assert [bool(record.exc_info) for record in outcomes] == [True, True, False]
    for record in outcomes:
        text = LineFormatter().format(record)
        assert text.count("Traceback") == bool(record.exc_info)
        assert "[job " not in text  # it names the job itself
        assert all(line.startswith("    ") for line in text.split("\n")[1:])
        assert json.loads(JsonFormatter().format(record))["job_id"] == str(job.pk)


def test_a_job_that_cant_be_loaded_is_logged_with_one_traceback(kept):
    job = jobs.enqueue(Fail())
    set_rows(signature="wrong")
    jobs.Worker().work_off()
    [record] = kept.of("jobs.execution.outcomes")
    assert record.job_id == str(job.pk)
    assert record.exc_info


def test_jobs_side_by_side_never_get_each_others_id(kept):
    enqueued = jobs.enqueue_many([Speaks(20) for _ in range(8)])
    worker = jobs.Worker(concurrency=4)
    assert worker.work_off() == (8, 0)
    for job in enqueued:
        lines = [one for one in kept.fields("tests.own") if one["job_id"] == str(job.pk)]
        assert lines == [fields_of(job, worker)] * 61


POOL = ThreadPoolExecutor(1)


@dataclass
class StartsThreads(jobs.Performable):
    """Threads, one of which starts another, and calls that it hands to pools."""

    lines: int = 20

    def perform(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(self.lines):
                thread = threading.Thread(target=self._say)
                thread.start()
                pool.submit(own.info, "in a pool")
                POOL.submit(own.info, "in a pool of the process").result()
                thread.join()

    def _say(self) -> None:
        thread = threading.Thread(target=own.info, args=("in a thread of a thread",))
        thread.start()
        thread.join()


def test_threads_that_jobs_start_side_by_side_log_the_id_of_their_own_job(kept):
    enqueued = jobs.enqueue_many([StartsThreads() for _ in range(4)])
    worker = jobs.Worker(concurrency=2)
    assert worker.work_off() == (4, 0)
    for job in enqueued:
        lines = [one for one in kept.fields("tests.own") if one["job_id"] == str(job.pk)]
        assert lines == [fields_of(job, worker)] * 60
    assert len(kept.fields("tests.own")) == 4 * 60
    POOL.submit(own.info, "for nobody").result()
    assert kept.fields("tests.own")[-1] == NOTHING


@dataclass
class LeavesAThread(jobs.Performable):
    def perform(self) -> None:
        threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        own.info("during the job or after it")
        go_on.wait(60)
        own.info("after the job")
        has_gone_on.set()


go_on, has_gone_on = threading.Event(), threading.Event()


def test_a_thread_that_outlasts_its_job_logs_no_id_afterwards(kept):
    jobs.enqueue(LeavesAThread())
    assert jobs.Worker().work_off() == (1, 0)
    go_on.set()
    assert has_gone_on.wait(60)
    assert kept.of("tests.own")[-1].getMessage() == "after the job"
    assert kept.fields("tests.own")[-1] == NOTHING


def test_what_a_job_performs_at_once_is_not_logged_as_the_job_itself(kept, settings):
    job = jobs.enqueue(Enqueues())
    settings.JOBS = {"DELAY_JOBS": False}
    jobs.Worker().work_off()
    assert [(one["job_id"], one["job_name"]) for one in kept.fields("tests.own")] == [
        (str(job.pk), job.name),
        ("", "tests.jobs.test_log_fields.Speaks"),
        (str(job.pk), job.name),
    ]


def test_what_a_reaper_logs_is_about_the_job_it_reaps(kept):
    job = jobs.enqueue(Fail())
    dead = jobs.Worker(name="dead")
    type(job).objects.reserve(dead)
    dead.let_go_of_all()
    told = kept.fields("jobs.execution.outcomes")
    assert [(one["job_id"], one["worker"]) for one in told] == [(str(job.pk), "dead")]
    assert not kept.of("jobs.execution.outcomes")[0].exc_info  # nobody raised it


@pytest.mark.parametrize("whole_process", [True, False])
def test_a_process_with_one_job_logs_its_id_in_every_thread(kept, whole_process):
    with about(job_id="7", whole_process=whole_process):
        thread = threading.Thread(target=own.info, args=("of a thread",))
        thread.start()
        thread.join()
    own.info("later")
    found = [one["job_id"] for one in kept.fields("tests.own")]
    assert found == ["7" if whole_process else "", ""]


def test_a_record_that_names_another_job_gets_nothing_of_this_one(kept):
    with about(job_id="7", queue="mail"):
        own.info("about another", extra={"job_id": "8"})
        own.info("with a queue of its own", extra={"queue": "theirs"})
    other, mixed = kept.fields("tests.own")
    assert other == {**NOTHING, "job_id": "8"}
    assert (mixed["job_id"], mixed["queue"]) == ("7", "theirs")


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class UnspeakableText(str):
    __str__ = __repr__ = Unspeakable.__str__


circle: list = []
circle.append(circle)

VALUES = [
    Unspeakable(), circle, {(1, 2): 3}, {"a": float("nan")}, float("inf"), b"\xff", HOSTILE,
    {HOSTILE: HOSTILE}, {1, 2}, 10**400, None, True, [Unspeakable()], ValueError(HOSTILE),
    UnspeakableText("x"),
]  # fmt: skip


def record_of(message, *arguments, **extra):
    """Not logged: the handlers of others are not as careful."""
    return own.makeRecord(own.name, logging.INFO, "f.py", 1, message, arguments, None, extra=extra)


@pytest.mark.parametrize("place", ["extra", "argument", "field", "message"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_whatever_is_logged_is_one_line_of_json(value, place):
    record = {
        "extra": record_of("text", value=value, level="FORGED"),
        "argument": record_of("%s and %d", value, 1),
        "message": record_of(value),
        "field": record_of("text"),
    }[place]
    with about(job_id="7", job_name=value if place == "field" else "name"):
        line = JsonFormatter().format(record)
    found = json.loads(line, parse_constant=pytest.fail)
    assert line.isascii()
    assert line.isprintable()
    assert (found["level"], found["logger"], found["job_id"]) == ("INFO", "tests.own", "7")
    assert found.get("extra_level", "FORGED") == "FORGED"


@pytest.mark.parametrize("place", ["argument", "message"])
def test_no_line_of_a_jobs_text_passes_for_another_record(place):
    record = record_of("%s", HOSTILE) if place == "argument" else record_of(HOSTILE)
    with about(job_id="7\n"):
        text = LineFormatter().format(record)
    assert all(line.startswith("    ") for line in text.splitlines()[1:])
    assert text.replace("\n", "").isprintable()


def test_a_jobs_line_begins_with_its_id_in_text(kept):
    with about(job_id="7"):
        own.info("hello\nworld")
    text = LineFormatter().format(kept.of("tests.own")[0])
    assert text.endswith(" INFO tests.own [job 7] hello\n    world")


def test_a_foreign_format_has_the_fields_by_name(kept):
    with about(job_id="7", attempt=2), ThreadPoolExecutor():
        own.info("hello")
    own.info("nobody's")
    formatter = logging.Formatter("%(job_id)s/%(attempt)s %(message)s")
    assert [formatter.format(one) for one in kept.of("tests.own")] == ["7/2 hello", "/ nobody's"]
