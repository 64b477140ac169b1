"""What is kept for the person on call: workers, activity, failed attempts, progress,
pauses.

None of it decides what becomes of a job; only a pause decides what is claimed. Each row
has a key that says what it is about, so that it can be written without a look whether
it is there.
"""

from __future__ import annotations

from bisect import bisect_left

from django.db import models
from django.utils import timezone

from jobs.store.primary import PrimaryModel

#: Upper bounds of the classes of a histogram, in seconds; one more class is beyond.
BOUNDS = (
    0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20,
    60, 120, 300, 600, 1800, 3600, 7200, 14400,
)  # fmt: skip
#: The columns of the two histograms of an Activity, in the order of BOUNDS.
RAN = tuple(f"ran_{number:02}" for number in range(len(BOUNDS) + 1))
WAITED = tuple(f"waited_{number:02}" for number in range(len(BOUNDS) + 1))
#: The columns of an Activity that are added up.
COUNTS = ("performed", "failed", "retried")
SECONDS = ("seconds_run", "seconds_waited")
NUMBERS = (*COUNTS, *SECONDS, *RAN, *WAITED)

MAX_TEXT = 255
MAX_KEY = 300


def class_of(seconds: float) -> int:
    """The place in BOUNDS of the class that holds a length of time."""
    return bisect_left(BOUNDS, seconds)


def job_key(job: models.Model) -> str:
    """Names a job among those of all job models."""
    return f"{job._meta.label}:{job.pk}"


def _key(help_text: str = "") -> models.CharField[str, str]:
    # MongoDB's own key, so that it needs no second index.
    return models.CharField(
        max_length=MAX_KEY, primary_key=True, db_column="_id", help_text=help_text
    )


class WorkerRecord(PrimaryModel):
    """A worker that runs now, as its last heartbeat described it."""

    name = _key()
    host = models.CharField(max_length=MAX_TEXT)
    pid = models.BigIntegerField()
    queues = models.TextField(
        default="", blank=True, help_text="Separated by commas; empty: all queues."
    )
    slots = models.IntegerField(help_text="Jobs that it works on at once.")
    in_hand = models.IntegerField(default=0, help_text="Jobs that it works on now.")
    hands_over = models.BooleanField(
        default=False, help_text="Whether it has jobs executed elsewhere (--batch)."
    )
    version = models.CharField(max_length=64, default="", blank=True)
    lease = models.FloatField(help_text="Seconds that it may be silent.")
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="Its last sign of life.")

    class Meta:
        verbose_name = "worker"

    def __str__(self) -> str:
        return self.name


class Activity(PrimaryModel):
    """What became of the jobs of one queue and class that ended in one minute.

    The columns of RAN and WAITED count executions by how long they ran, and how long
    their jobs had waited when they began.
    """

    key = _key()
    minute = models.DateTimeField(help_text="Its beginning.")
    queue = models.CharField(max_length=MAX_TEXT)
    name = models.CharField(max_length=MAX_TEXT, help_text="The class of the jobs.")
    performed = models.BigIntegerField(default=0, help_text="Jobs that succeeded.")
    failed = models.BigIntegerField(default=0, help_text="Jobs that failed for good.")
    retried = models.BigIntegerField(default=0, help_text="Failed attempts with others to come.")
    seconds_run = models.FloatField(default=0)
    seconds_waited = models.FloatField(default=0)

    class Meta:
        verbose_name_plural = "activity"
        indexes = [models.Index(fields=["minute"], name="jobs_activity_minute")]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} {self.queue} {self.name}"


for _name in (*RAN, *WAITED):
    Activity.add_to_class(_name, models.IntegerField(default=0))


class FailedAttempt(PrimaryModel):
    """One execution of a job that failed, or that its worker or container didn't
    survive.

    An execution on AWS Batch is described further by the trace that has its `job_id`
    and `epoch`.
    """

    key = _key("The job and the epoch.")
    job_model = models.CharField(max_length=MAX_TEXT)
    job_id = models.CharField(max_length=64, help_text="str() of the job's primary key.")
    epoch = models.BigIntegerField()
    number = models.IntegerField(help_text="1 is the job's first attempt.")
    is_counted = models.BooleanField(default=True, help_text="Whether it cost the job an attempt.")
    is_last = models.BooleanField(default=False, help_text="Whether the job failed for good.")
    queue = models.CharField(max_length=MAX_TEXT)
    name = models.CharField(max_length=MAX_TEXT, help_text="The class of the job.")
    summary = models.CharField(max_length=MAX_TEXT, help_text="The error's first line.")
    error = models.TextField(help_text="With its traceback.")
    worker = models.CharField(max_length=MAX_TEXT, default="", blank=True)
    runner = models.CharField(
        max_length=MAX_TEXT, default="", blank=True, help_text="Who executed it."
    )
    place = models.CharField(
        max_length=128, default="", blank=True, help_text="The Batch job, if it was one."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["job_id"], name="jobs_failedattempt_job"),
            models.Index(fields=["failed_at"], name="jobs_failedattempt_when"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: attempt {self.number}"


class Progress(PrimaryModel):
    """How far the execution of a job has come, as it said itself."""

    key = _key("The job.")
    epoch = models.BigIntegerField()
    done = models.FloatField()
    total = models.FloatField(null=True, blank=True)
    message = models.CharField(max_length=MAX_TEXT, default="", blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "progress"
        indexes = [models.Index(fields=["updated_at"], name="jobs_progress_age")]

    def __str__(self) -> str:
        return f"{self.key}: {self.done:g}"


class Pause(PrimaryModel):
    """A queue, or a class of jobs, of which no worker takes jobs."""

    class Kind(models.TextChoices):
        QUEUE = "queue"
        NAME = "name"

    key = _key("The kind and what is paused.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    value = models.CharField(max_length=MAX_TEXT, help_text="Of the job's queue or name.")
    since = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=MAX_TEXT, default="", blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class ImportedJob(PrimaryModel):
    """A row of another queue that was imported, so that it is imported once."""

    key = _key("Where it was, hashed.")
    job_id = models.CharField(max_length=64, default="", help_text="What it became.")
    done = models.BooleanField(default=False)
    imported_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"job {self.job_id}"
