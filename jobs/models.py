"""The job as a row: its columns, its indexes, and what it asks of its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from jobs import payloads
from jobs.conf import settings
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for
from jobs.store.indexes import PartialIndex

if TYPE_CHECKING:
    from jobs.store.base import Reserver

__all__ = ["FINISHED", "MAX_NAME", "UNFINISHED", "AbstractJob", "Job", "JobManager", "State"]

#: Longest text kept in `name`, in characters.
MAX_NAME = 255


class JobManager(models.Manager["AbstractJob"]):
    def reserve(self, worker: Reserver) -> AbstractJob | None:
        """Claims the next job for `worker` in one conditional write, or returns None.

        If the worker hands over, a job that lost its watcher comes first. Then comes
        the ready job with the lowest (priority, run_at, id). Afterwards `locked_by`
        holds `worker.name`.
        """
        claimed = store_for(self.model).claim(worker)
        return claimed[0] if claimed else None


class AbstractJob(models.Model):
    """The base of a job class with fields of your own."""

    queue = models.CharField(max_length=255, default="default")
    priority = models.IntegerField(default=0, help_text="Lower runs first.")
    name = models.CharField(max_length=MAX_NAME, default="")
    handler = models.TextField(
        default="",
        help_text="The job object: the dotted path of its class and its fields, in JSON.",
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.READY)
    run_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0, help_text="Failed tries so far.")

    locked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the watching worker last renewed its lease."
    )
    locked_by = models.CharField(
        max_length=255, default="", blank=True, help_text="The worker that watches the job."
    )
    epoch = models.BigIntegerField(
        default=0, help_text="Rises whenever an execution ends or is given up."
    )
    handed_over = models.BooleanField(
        default=False,
        help_text="The execution of this epoch is somewhere else than in a worker.",
    )
    runner = models.CharField(
        max_length=255, default="", blank=True, help_text="Who executes the job."
    )
    heartbeat_at = models.DateTimeField(
        null=True, blank=True, help_text="The runner's last sign of life."
    )
    started_at = models.DateTimeField(null=True, blank=True)

    failed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)
    unique_key = models.CharField(max_length=255, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = JobManager()

    #: Set on the job that `enqueue` returns if its unique key was held already.
    already_enqueued = False

    class Meta:
        abstract = True
        indexes = [
            # The claim: equality on state (and queue), then the order of the queue.
            PartialIndex(
                fields=["state", "priority", "run_at", "id"],
                name="%(app_label)s_%(class)s_claim",
                condition=Q(state=State.READY),
            ),
            # The claim of one queue; also counts the queues.
            models.Index(
                fields=["state", "queue", "priority", "run_at", "id"],
                name="%(app_label)s_%(class)s_claim_queue",
            ),
            # Promotion of scheduled jobs that are due, and for how long a job has been
            # due.
            PartialIndex(
                fields=["state", "run_at"],
                name="%(app_label)s_%(class)s_due",
                condition=Q(state=State.SCHEDULED) | Q(state=State.READY),
            ),
            # Reaping, and letting go of a worker's locks.
            PartialIndex(
                fields=["state", "locked_at"],
                name="%(app_label)s_%(class)s_lease",
                condition=Q(state=State.RUNNING),
            ),
            PartialIndex(
                fields=["locked_by"],
                name="%(app_label)s_%(class)s_locked_by",
                condition=Q(state=State.RUNNING),
            ),
            # Pruning.
            PartialIndex(
                fields=["state", "finished_at"],
                name="%(app_label)s_%(class)s_ended",
                condition=Q(finished_at__isnull=False),
            ),
            # Lists of the jobs in one state, the newest first.
            models.Index(fields=["state", "id"], name="%(app_label)s_%(class)s_list"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["unique_key"], name="%(app_label)s_%(class)s_unique_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} (id={self.pk}, queue={self.queue})"

    @cached_property
    def payload(self) -> Any:
        """The job object, loaded on first use. Raises DeserializationError if it can't
        be.
        """
        return payloads.load(self.handler)

    @property
    def max_attempts(self) -> int:
        return payloads.max_attempts(self.payload)

    @property
    def max_run_time(self) -> float:
        """Seconds: the payload's, but at most the setting's, as in Delayed Job."""
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
