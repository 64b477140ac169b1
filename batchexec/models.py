"""The tables: markers, traces of executions, histories, and the installation's id."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from jobs.store.primary import PrimaryModel


class BatchJob(PrimaryModel):
    """The marker: this job of the queue, under this epoch, is in AWS Batch.

    There is one for each job in flight.
    """

    class State(models.TextChoices):
        SUBMITTING = "submitting"
        SUBMITTED = "submitted"
        #: Its job's row was deleted by somebody: the Batch job is to be terminated.
        UNWANTED = "unwanted"

    job_id = models.CharField(
        max_length=64, unique=True, help_text="str() of the job's primary key."
    )
    epoch = models.BigIntegerField()
    job_name = models.CharField(max_length=128)
    batch_job_id = models.CharField(max_length=64, default="", blank=True)
    job_queue = models.CharField(max_length=512)
    job_definition = models.CharField(max_length=512, help_text="With its revision, pinned.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.SUBMITTING)
    status = models.CharField(
        max_length=16, default="", blank=True, help_text="As AWS Batch said last."
    )
    status_reason = models.TextField(default="", blank=True)
    log_stream = models.CharField(max_length=512, default="", blank=True)
    submitted_at = models.DateTimeField(
        default=timezone.now, help_text="When the intent was committed, or last repeated."
    )
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "Batch job"
        # The unique one is partial on MongoDB, so a look-up may not be served from it.
        indexes = [models.Index(fields=["job_id"], name="batchexec_batchjob_job")]

    def __str__(self) -> str:
        return f"{self.job_name} ({self.batch_job_id or self.state})"


class BatchExecutionRecord(PrimaryModel):
    """The trace of one execution that is over, as AWS Batch and the job's row told it.

    For people to read: it decides nothing.
    """

    job_id = models.CharField(max_length=64)
    epoch = models.BigIntegerField()
    name = models.CharField(max_length=255, default="", blank=True, help_text="Of the job.")
    outcome = models.CharField(
        max_length=16, default="", blank=True, help_text="What the execution came to."
    )
    failure = models.CharField(
        max_length=32, default="", blank=True, help_text="The class, if it ended without outcome."
    )
    batch_job_id = models.CharField(max_length=64, default="", blank=True)
    job_name = models.CharField(max_length=128, help_text="In AWS Batch.")
    job_queue = models.CharField(max_length=512)
    job_definition = models.CharField(max_length=512)
    status = models.CharField(
        max_length=16, default="", blank=True, help_text="As AWS Batch said last."
    )
    status_reason = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True, help_text="Of the container.")
    exit_code = models.IntegerField(null=True, blank=True)
    log_stream = models.CharField(max_length=512, default="", blank=True)
    attempts = models.IntegerField(default=0, help_text="Starts of its container.")
    vcpu = models.CharField(max_length=16, default="", blank=True)
    memory = models.CharField(max_length=16, default="", blank=True, help_text="MiB.")
    gpu = models.CharField(max_length=16, default="", blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "Batch execution"
        indexes = [
            models.Index(fields=["job_id"], name="batchexec_execution_job"),
            models.Index(fields=["recorded_at"], name="batchexec_execution_age"),
        ]

    def __str__(self) -> str:
        return f"{self.job_name} ({self.batch_job_id or self.outcome})"


class BatchHistory(PrimaryModel):
    """What the executions of a job leave to the next one; most jobs have none."""

    job_id = models.CharField(max_length=64, unique=True)
    infrastructure_failures = models.IntegerField(
        default=0, help_text="Those that cost the job no attempt."
    )
    memory = models.IntegerField(
        null=True, blank=True, help_text="MiB, after it ran out of memory."
    )
    setbacks = models.IntegerField(
        null=True, blank=True, help_text="What has spoken against its queues so far."
    )
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "Batch histories"
        indexes = [models.Index(fields=["job_id"], name="batchexec_history_job")]

    def __str__(self) -> str:
        return self.job_id


class Installation(PrimaryModel):
    """The installation's id: one row, which is made when it is first needed."""

    key = models.CharField(max_length=16, unique=True, default="installation")
    value = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.value
