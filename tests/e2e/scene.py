"""A shop in the middle of a day, for tests and pictures of the admin: what its queues,
its workers and AWS Batch may look like.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

import jobs
from batchexec.models import BatchJob
from jobs import likeness
from jobs.models import Activity, FailedAttempt, Job, Pause, Progress, State, WorkerRecord
from jobs.operator import pausing
from jobs.records import RAN, WAITED, class_of, job_key

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/mail/jobs.py", line 31, in perform
    self.connection().send(self.message())
  File "/srv/shop/mail/smtp.py", line 74, in send
    raise {error}
{error}"""
ERRORS = (
    "ConnectionRefusedError: [Errno 111] mail-{n}.example.org:25 refused the connection",
    "ValueError: order {n} has no address",
    "TimeoutError: the provider did not answer within 30 s",
)


@dataclass
class SendMail(jobs.Performable):
    order: int
    template: str = "order-confirmation"

    def display_name(self) -> str:
        return "shop.mail.SendMail"

    def perform(self) -> None: ...


@dataclass
class RenderFilm(jobs.Performable):
    film: int
    format: str = "2160p"

    def display_name(self) -> str:
        return "shop.films.RenderFilm"

    def perform(self) -> None: ...


#: Class, queue, jobs a minute, and how long they usually run and wait, in seconds.
BUSY = (
    ("shop.mail.SendMail", "mail", 42, 0.4, 0.1),
    ("shop.prices.ImportPrices", "default", 7, 12.0, 2.0),
    ("shop.films.RenderFilm", "films", 0.4, 1300.0, 45.0),
)


def ago(**length: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(**length)


def build() -> Any:
    """Stores it; returns a failed job with several attempts."""
    chance = random.Random(7)
    _activity(chance)
    failed = _jobs(chance)
    _workers()
    pausing.pause(queue="newsletter", reason="the provider is down")
    Pause.objects.update(since=ago(minutes=20))
    return failed


def _activity(chance: random.Random) -> None:
    this_minute = timezone.now().replace(second=0, microsecond=0)
    rows = []
    for minute in range(24 * 60):
        day = 1 + 0.6 * math.sin(minute / 24 / 60 * 2 * math.pi)
        is_bad = 22 <= minute <= 31 or 700 <= minute <= 760
        for name, queue, rate, runs, waits in BUSY:
            number = int(rate * day * chance.uniform(0.7, 1.3) + chance.random())
            broken = int(number * 0.4) if is_bad and queue == "mail" else chance.random() < 0.03
            if not number:
                continue
            row = Activity(
                key=f"{minute} {queue}",
                minute=this_minute - dt.timedelta(minutes=minute),
                queue=queue,
                name=name,
                performed=number - int(broken),
                failed=int(broken) // 6,
                retried=int(broken) - int(broken) // 6,
            )
            for _ in range(number):
                slow = 4 if is_bad else 1
                for names, typical in ((RAN, runs), (WAITED, waits * slow)):
                    column = names[class_of(chance.lognormvariate(math.log(typical), 0.7))]
                    setattr(row, column, getattr(row, column) + 1)
            rows.append(row)
    Activity.objects.bulk_create(rows, batch_size=500)


def _set(job: Any, **changes: Any) -> Any:
    Job.objects.filter(pk=job.pk).update(**changes)
    job.refresh_from_db()
    return job


def _jobs(chance: random.Random) -> Any:
    for number in range(37):
        _set(
            jobs.enqueue(SendMail(48_200 + number), queue="mail"),
            run_at=ago(seconds=chance.uniform(1, 70)),
        )
    for number in range(6):
        _set(
            jobs.enqueue(SendMail(48_100 + number, "news"), queue="newsletter"),
            run_at=ago(minutes=19),
        )
    for number in range(11):
        jobs.enqueue(SendMail(47_000 + number), run_at=ago(minutes=-chance.uniform(2, 300)))
    failed = None
    for number in range(9):
        error = ERRORS[number % 4 % 3].format(n=47_300 + number)
        job = jobs.enqueue(SendMail(47_300 + number), queue="mail")
        text = f"{error}\n{TRACEBACK.format(error=error)}"
        at = ago(minutes=(25, 28, 90, 400)[number % 4] + number / 9)
        failed = _set(
            job,
            state=State.FAILED,
            attempts=3,
            last_error=text,
            error_key=likeness.key(job.name, text),
            created_at=at - dt.timedelta(minutes=12),
            run_at=at,
            epoch=3,
            started_at=at - dt.timedelta(seconds=2),
            failed_at=at,
            finished_at=at,
        )
    _attempts(failed)
    _in_batch()
    return failed


def _attempts(job: Any) -> None:
    for number in (1, 2, 3):
        at = job.finished_at - dt.timedelta(minutes=(3 - number) * 5)
        FailedAttempt.objects.create(
            key=f"{job_key(job)}:{number}",
            job_model=job._meta.label,
            job_id=str(job.pk),
            epoch=number - 1,
            number=number,
            is_last=number == 3,
            queue=job.queue,
            name=job.name,
            summary=job.last_error.partition("\n")[0],
            error=job.last_error,
            worker="web-1.0",
            runner="web-1.0",
            started_at=at - dt.timedelta(seconds=2),
            failed_at=at,
        )


def _in_batch() -> None:
    reason = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    for number in range(7):
        job = jobs.enqueue(RenderFilm(number + 300), queue="films")
        runs = number < 4
        began = ago(minutes=61 - 8 * number)
        _set(
            job,
            state=State.RUNNING,
            handed_over=True,
            locked_by="batch-1",
            locked_at=timezone.now(),
            runner=f"batch:{number}" if runs else "",
            started_at=began if runs else None,
        )
        BatchJob.objects.create(
            job_id=str(job.pk),
            epoch=0,
            job_name=f"delayed-job-{job.pk}",
            batch_job_id=f"5f2a7c1{number}-83d4-4c5e-9a0b-1d2e3f4a5b6c",
            job_queue="arn:aws:batch:eu-central-1:123456789012:job-queue/films",
            job_definition="arn:aws:batch:eu-central-1:123456789012:job-definition/shop:7",
            state=BatchJob.State.SUBMITTED,
            status="RUNNING" if runs else "RUNNABLE",
            status_reason="" if runs else reason,
            submitted_at=began,
        )
        if runs:
            done = 2160 - 310 * number
            Progress.objects.create(
                key=job_key(job), epoch=0, done=done, total=2400, message=f"frame {done}"
            )


def _workers() -> None:
    for name, slots, in_hand, silent, batch in (
        ("batch-1", 100, 7, 4, True),
        ("web-1.0", 8, 5, 9, False),
        ("web-1.1", 8, 8, 2, False),
        ("web-2.0", 8, 3, 340, False),
    ):
        WorkerRecord.objects.create(
            name=name,
            host=name.partition(".")[0],
            pid=4711,
            queues="" if batch else "mail,default,newsletter",
            slots=slots,
            in_hand=in_hand,
            hands_over=batch,
            version=jobs.__version__,
            lease=3600 if silent < 60 else 60,  # alive also if the test is slow
            started_at=ago(hours=7),
            seen_at=ago(seconds=silent),
        )
