"""The job: one row, one state machine.

scheduled ──due──► ready ──reserve──► running ──success──► deleted, or succeeded
    ▲                ▲                │  ▲  └─ attempts exhausted, or can't be loaded ──► failed
    │                │   watcher gone │  │ taken over, only by a worker that hands over
    └── back-off ────┴─ failure ──  detached            any unfinished state ──cancel──► cancelled
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from jobs import payloads
from jobs.conf import settings
from jobs.store.indexes import PartialIndex

if TYPE_CHECKING:
    from jobs.worker import Worker


class State(models.TextChoices):
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    DETACHED = "detached"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A job in one of these is still to be performed, or being performed.
UNFINISHED = (State.SCHEDULED, State.READY, State.RUNNING, State.DETACHED)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

#: Longest text kept in `name`, in characters.
MAX_NAME = 255


class JobManager(models.Manager["AbstractJob"]):
    def reserve(self, worker: Worker) -> AbstractJob | None:
        """Claims the next job for `worker`, in one conditional write, or returns None.

        A job that was detached from a dead or stopped watcher comes first, for a worker that hands over; then the ready
        job with the lowest (priority, run_at, id). `locked_by` holds `worker.name` afterwards.
        """
        from jobs.store import store_for

        return next(iter(store_for(self.model).claim(worker)), None)


class AbstractJob(models.Model):
    """Inherit from it for a job class of one's own, with fields of one's own."""

    queue = models.CharField(max_length=255, default="default")
    priority = models.IntegerField(default=0, help_text="Lower runs first.")
    name = models.CharField(max_length=MAX_NAME, default="")
    handler = models.TextField(default="", help_text="The job object: the dotted path of its class and its fields, in JSON.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.READY)
    run_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0, help_text="Failed tries so far.")

    locked_at = models.DateTimeField(null=True, blank=True, help_text="When the watching worker last renewed its lease.")
    locked_by = models.CharField(max_length=255, default="", blank=True, help_text="The worker that watches the job.")
    epoch = models.BigIntegerField(default=0, help_text="Rises whenever an execution ends or is given up.")
    handed_over = models.BooleanField(default=False, help_text="The execution of this epoch is somewhere else than in a worker.")
    runner = models.CharField(max_length=255, default="", blank=True, help_text="Who executes the job.")
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="The runner's last sign of life.")
    started_at = models.DateTimeField(null=True, blank=True)

    failed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)
    unique_key = models.CharField(max_length=255, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = JobManager()

    #: Set on what `enqueue` returns where a job with the same unique key was there already.
    already_enqueued = False

    class Meta:
        abstract = True
        indexes = [
            # The claim: equality on state (and queue), then the order of the queue. The second one also counts the queues.
            PartialIndex(
                fields=["state", "priority", "run_at", "id"], name="%(app_label)s_%(class)s_claim", condition=Q(state=State.READY)
            ),
            models.Index(fields=["state", "queue", "priority", "run_at", "id"], name="%(app_label)s_%(class)s_claim_queue"),
            # Promotion of scheduled jobs that are due, and for how long a job has been due.
            PartialIndex(
                fields=["state", "run_at"],
                name="%(app_label)s_%(class)s_due",
                condition=Q(state=State.SCHEDULED) | Q(state=State.READY),
            ),
            # Reaping, and letting go of a worker's locks.
            PartialIndex(fields=["state", "locked_at"], name="%(app_label)s_%(class)s_lease", condition=Q(state=State.RUNNING)),
            PartialIndex(fields=["locked_by"], name="%(app_label)s_%(class)s_locked_by", condition=Q(state=State.RUNNING)),
            # Pruning.
            PartialIndex(
                fields=["state", "finished_at"],
                name="%(app_label)s_%(class)s_ended",
                condition=Q(finished_at__isnull=False),
            ),
            # Lists of the jobs in one state, the newest first.
            models.Index(fields=["state", "id"], name="%(app_label)s_%(class)s_list"),
        ]
        constraints = [models.UniqueConstraint(fields=["unique_key"], name="%(app_label)s_%(class)s_unique_key")]

    def __str__(self) -> str:
        return f"{self.name} (id={self.pk}, queue={self.queue})"

    @cached_property
    def payload(self) -> Any:
        """The job object, loaded on first use; DeserializationError where it can't be."""
        return payloads.load(self.handler)

    @property
    def max_attempts(self) -> int:
        return payloads.max_attempts(self.payload)

    @property
    def max_run_time(self) -> float:
        """Seconds: the payload's limit, but never more than the setting (Delayed Job clamps it likewise)."""
        return payloads.max_run_time(self.payload)

    @property
    def destroys_when_failed(self) -> bool:
        return payloads.destroys_when_failed(self.payload)

    @property
    def succeeded_rows_are_kept(self) -> bool:
        return bool(settings.KEEP_SUCCEEDED_FOR > 0)


class Job(AbstractJob):
    class Meta(AbstractJob.Meta):
        abstract = False
