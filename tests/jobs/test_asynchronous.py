"""Asynchronous jobs, hooks and methods.

And methods of base classes made asynchronous.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

import jobs
from jobs.delayed import _Implementation
from jobs.models import Job, State
from jobs.payloads import asynchronous
from posts.models import Post
from tests.processes import lines, row, wait_for
from tests.samples import append, calls

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def later(function: Any) -> Any:
    """A decorator that isn't seen to return something to be awaited."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called


@dataclass
class Asynchronous(jobs.Performable):
    fails: bool = False

    async def display_name(self) -> str:
        return "an asynchronous name"

    async def unique_key(self) -> str:
        return "an asynchronous key"

    async def destroy_failed_jobs(self) -> bool:
        return True

    async def reschedule_at(self, now: Any, attempts: int) -> Any:
        return now + HOUR

    async def enqueue(self, job: Any) -> None:
        calls.append("enqueue")

    async def before(self, job: Any) -> None:
        calls.append("before")

    async def perform(self) -> None:
        await asyncio.sleep(0)
        calls.append("perform")
        if self.fails:
            raise RuntimeError("it broke")

    @later
    async def success(self) -> None:
        calls.append("success")

    async def error(self, job: Any, error: BaseException) -> None:
        calls.append(str(error))

    async def after(self, job: Any) -> None:
        calls.append("after")

    async def failure(self, job: Any) -> None:
        calls.append("failure")


def test_asynchronous_methods_are_awaited(settings):
    job = jobs.enqueue(Asynchronous())
    assert (job.name, job.unique_key) == ("an asynchronous name", "an asynchronous key")
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["enqueue", "before", "perform", "success", "after"]
    calls.clear()
    jobs.enqueue(Asynchronous(fails=True))
    assert jobs.Worker().work_off() == (0, 1)
    assert calls == ["enqueue", "before", "perform", "it broke", "after"]
    row = Job.objects.get()
    assert 3500 < (row.run_at - timezone.now()).total_seconds() < 3700
    settings.JOBS = {"MAX_ATTEMPTS": 2}
    Job.objects.update(run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (0, 1)
    assert calls[-1] == "failure"
    assert not Job.objects.exists()


@dataclass
class Queries(jobs.Performable):
    async def perform(self) -> None:
        calls.append(threading.get_ident())
        await Post.objects.acreate(title="asynchronous")
        calls.append(await sync_to_async(threading.get_ident)())


def test_queries_of_an_asynchronous_job_run_in_the_workers_thread():
    jobs.enqueue(Queries())
    assert jobs.Worker().work_off() == (1, 0)
    assert Post.objects.get().title == "asynchronous"
    assert calls[1] == threading.get_ident()


@dataclass
class Sleeps(jobs.Performable):
    max_run_time = 1.5

    async def perform(self) -> None:
        try:
            while True:
                await asyncio.sleep(0.1)
        finally:
            calls.append("cleaned up")


@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_asynchronous_job_is_interrupted_at_its_time_limit_and_cleans_up(concurrency):
    job = jobs.enqueue(Sleeps())
    attempts = 0
    while not calls:  # where the machine stands still, the limit may strike before it begins
        Job.objects.update(state=State.READY)
        assert jobs.Worker(concurrency=concurrency).work_off() == (0, 1)
        attempts += 1
        found = row(job)
        assert (found.state, found.attempts) == (State.SCHEDULED, attempts)
        assert found.last_error.startswith("WorkerTimeout")
        assert "max_run_time is 1.5 seconds" in found.last_error
    assert calls == ["cleaned up"]


@dataclass
class Blocks(jobs.Performable):
    """Never awaits, in Python code or in C."""

    log: str
    how: str = "python"

    async def perform(self) -> None:
        append(self.log, f"began {os.getpid()}")
        if self.how == "python":
            os.kill(os.getpid(), signal.SIGALRM)  # as if its time were up
        while self.how == "python":
            pass
        time.sleep(600)

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now - HOUR if self.how == "c" else now + HOUR


def running() -> Iterator[Any]:
    """The frames of all threads."""
    for frame in sys._current_frames().values():
        while frame is not None:
            yield frame
            frame = frame.f_back


def test_an_asynchronous_job_that_blocks_its_loop_is_interrupted(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(asynchronous, "CLEANING_UP", 0.5)
    settings.JOBS = {"MAX_RUN_TIME": 3600}
    log = tmp_path / "log"
    job, following = jobs.enqueue(Blocks(str(log))), jobs.enqueue(Asynchronous())
    assert jobs.Worker().work_off(2) == (1, 1)
    assert len(lines(log)) == 1
    assert row(job).attempts == 1
    assert row(job).last_error.startswith("WorkerTimeout")
    assert row(following) is None
    assert not any(frame.f_code is Blocks.perform.__code__ for frame in running())


def test_an_asynchronous_job_that_blocks_its_loop_in_c_is_ended_with_its_process(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Blocks(str(log), "c"))
    worker = start("jobworker", "--concurrency", "2", JOBS_MAX_RUN_TIME="3", JOBS_LEASE="3600")
    assert worker.wait() == -9, worker.output
    wait_for(
        lambda: "could not be interrupted" in row(job).last_error,
        what="the keeper recorded the attempt",
    )
    # Where the machine stands still, the limit may strike before it blocks: such an
    # attempt is another one.
    attempts = row(job).attempts
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, attempts)
    assert worker.output.count("FAILED (") == attempts
    assert 1 <= len(lines(log)) <= attempts


def test_a_second_signal_ends_an_asynchronous_job_that_blocks_its_loop(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Blocks(str(log), "c"))
    worker = start("jobworker", JOBS_LEASE="3600")
    wait_for(lambda: lines(log))
    worker.send(signal.SIGTERM)
    wait_for(lambda: "SIGTERM received" in worker.output)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, worker.output
    assert row(job).last_error.startswith("Terminated: ")


@dataclass
class Exits(jobs.Performable):
    kind: str

    async def perform(self) -> None:
        raise {
            "exit": SystemExit,
            "interrupt": KeyboardInterrupt,
            "cancel": asyncio.CancelledError,
        }[self.kind]


@pytest.mark.parametrize("kind", ["exit", "interrupt", "cancel"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_whatever_an_asynchronous_job_raises_is_a_failed_attempt(kind, concurrency):
    jobs.enqueue(Exits(kind))
    assert jobs.Worker(concurrency=concurrency).work_off() == (0, 1)
    assert Job.objects.get().attempts == 1


@dataclass
class Yields(jobs.Performable):
    def perform(self) -> Any:
        yield 1


@dataclass
class YieldsAsynchronously(jobs.Performable):
    async def perform(self) -> Any:
        yield 1


@dataclass
class HookYields(jobs.Performable):
    def perform(self) -> None: ...

    @later
    def before(self) -> Any:
        yield 1


@dataclass
class HidesItsYield(jobs.Performable):
    def perform(self) -> Any:
        return (calls.append(x) for x in range(3))


@pytest.mark.parametrize("payload", [Yields(), YieldsAsynchronously(), HookYields()])
def test_a_generator_is_refused_because_nobody_would_run_it(payload):
    for enqueue in (jobs.enqueue, lambda payload: jobs.enqueue_many([payload])):
        with pytest.raises(TypeError, match="is a generator"):
            enqueue(payload)
    assert not Job.objects.exists()


def test_a_generator_that_nobody_saw_is_a_failed_attempt_and_no_success():
    jobs.enqueue(HidesItsYield())
    assert jobs.Worker().work_off() == (0, 1)
    assert "is a generator" in Job.objects.get().last_error


class Base:
    @jobs.handle_asynchronously()
    @classmethod
    def publish(cls, text: str) -> None:
        calls.append(f"base {text} {cls.__name__}")

    @jobs.handle_asynchronously()
    @classmethod
    async def mail(cls, text: str) -> str:
        await asyncio.sleep(0)
        calls.append(f"base mail {text}")
        return text

    @classmethod
    def numbers(cls) -> Any:
        yield 1

    @jobs.handle_asynchronously()
    @classmethod
    def again(cls, times: int) -> None:
        calls.append(times)
        if times:
            cls.again(times - 1)


class Decorated(Base):
    @jobs.handle_asynchronously()
    @classmethod
    def publish(cls, text: str) -> None:
        super().publish(text)
        calls.append(f"child {text}")

    @jobs.handle_asynchronously()
    @classmethod
    async def mail(cls, text: str) -> str:
        found = await super().mail(text)
        calls.append(f"child mail {found}")
        return found


class Grandchild(Decorated):
    @jobs.handle_asynchronously()
    @classmethod
    def publish(cls, text: str) -> None:
        super().publish(text)
        calls.append(f"grandchild {text}")


class Undecorated(Base):
    @classmethod
    def publish(cls, text: str) -> Any:
        calls.append(f"prepared {text}")
        return super().publish(text)


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Decorated, ["base x Decorated", "child x"]),
        (Grandchild, ["base x Grandchild", "child x", "grandchild x"]),
    ],
)
def test_super_of_an_asynchronous_method_runs_the_bases_in_the_job_and_enqueues_nothing(
    cls, expected
):
    cls.publish("x")
    assert Job.objects.count() == 1
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == expected
    assert not Job.objects.exists()


def test_super_does_so_within_now_and_within_a_delayed_call_of_a_synchronous_override():
    Decorated.publish.now("y")
    assert calls == ["base y Decorated", "child y"]
    calls.clear()
    jobs.delay(Undecorated).publish("z")
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["prepared z", "base z Undecorated"]
    assert not Job.objects.exists()


def test_super_outside_of_a_job_enqueues_the_bases_implementation():
    job = Undecorated.publish("w")
    assert isinstance(job, Job)
    assert calls == ["prepared w"]
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["prepared w", "base w Undecorated"]


def test_asynchronous_methods_are_delayed_and_run_at_once():
    Decorated.mail("a")
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["base mail a", "child mail a"]
    calls.clear()
    assert asyncio.run(Decorated.mail.now("b")) == "b"
    assert calls == ["base mail b", "child mail b"]
    jobs.delay(Base).mail("c")
    assert jobs.Worker().work_off() == (1, 0)
    assert not Job.objects.exists()


def test_an_asynchronous_method_that_calls_itself_enqueues_itself_again():
    Base.again(2)
    assert jobs.Worker().work_off() == (3, 0)
    assert calls == [2, 1, 0]


def test_a_delayed_generator_is_refused():
    with pytest.raises(TypeError, match="is a generator"):
        jobs.delay(Base).numbers()


def test_what_python_asks_of_any_object_is_not_a_method_to_delay():
    delayed = jobs.delay(Base)
    assert not hasattr(delayed, "__await__")
    assert not hasattr(delayed, "__len__")
    assert not Job.objects.exists()


class Document:
    @jobs.handle_asynchronously()
    def publish(self, text: str) -> None:
        calls.append((type(self).__name__, text))


class Letter(Document):
    @jobs.handle_asynchronously()
    def publish(self, text: str) -> None:
        super().publish(text)
        calls.append(text)


def test_super_works_alike_for_methods_of_instances():
    Letter().publish.now("x")
    assert calls == [("Letter", "x"), "x"]
    calls.clear()
    _Implementation(Document, Letter()).publish.now("y")
    assert calls == [("Letter", "y")]
    calls.clear()
    Document.publish.__get__(Letter(), Letter).now("z")
    assert calls == [("Letter", "z")]
