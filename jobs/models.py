"""The job as a row: its columns, its indexes, and what it asks of its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from jobs import payloads
from jobs.conf import settings
from jobs.exceptions import DeserializationError
from jobs.querysets import JobManager
from jobs.records import Activity, FailedAttempt, ImportedJob, Pause, Progress, WorkerRecord
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store.indexes import PartialIndex
from jobs.store.primary import PrimaryModel
from jobs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self


__all__ = [
    "FINISHED",
    "MAX_NAME",
    "OWN_COLUMNS",
    "UNFINISHED",
    "AbstractJob",
    "Activity",
    "FailedAttempt",
    "ImportedJob",
    "Job",
    "JobManager",
    "Pause",
    "Progress",
    "State",
    "WorkerRecord",
]

#: Longest text kept in `name`, in characters.
MAX_NAME = 255
MAX_SIGNATURE = 128
MAX_ERROR_KEY = 16
#: Columns that only the queue's own conditional writes change, and `save()` doesn't.
OWN_COLUMNS = frozenset(
    {
        "handler",
        "signature",
        "state",
        "run_at",
        "attempts",
        "locked_at",
        "locked_by",
        "epoch",
        "handed_over",
        "runner",
        "heartbeat_at",
        "started_at",
        "failed_at",
        "finished_at",
        "last_error",
        "error_key",
        "unique_key",
        "result",
        "updated_at",
    }
)


class AbstractJob(PrimaryModel):
    """The base of a job class with fields of your own."""

    queue = models.CharField(max_length=255, default="default")
    priority = models.IntegerField(default=0, help_text="Lower runs first.")
    name = models.CharField(max_length=MAX_NAME, default="")
    handler = models.TextField(
        default="",
        help_text="The job object: the dotted path of its class and its fields, in JSON.",
    )
    signature = models.CharField(
        max_length=MAX_SIGNATURE,
        default="",
        blank=True,
        help_text="HMAC-SHA256 of the handler. Without a valid one it is never loaded.",
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
    error_key = models.CharField(
        max_length=MAX_ERROR_KEY,
        default="",
        blank=True,
        help_text="The same for all jobs of one class that failed with the same error.",
    )
    unique_key = models.CharField(max_length=255, null=True, blank=True)
    result = models.TextField(
        default="",
        blank=True,
        help_text="Errors, workers and return value of a job that keeps them, in JSON.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[JobManager[Self]] = JobManager()

    #: The columns of the row that can't be read; set by the store.
    unreadable: tuple[str, ...] = ()
    _load_failure: BaseException | None = None
    #: What the attempt failed by whose outcome is being recorded.
    _error: BaseException | None = None
    #: Texts by name that a plugin wants beside the job object, set before it is stored.
    _carried: dict[str, str] | None = None

    #: Set on the job that `enqueue` returns if its unique key was held already.
    already_enqueued = False
    #: Set while `enqueue` has yet to store the job.
    being_enqueued = False
    #: What `perform` returned in this process.
    returned: Any = None
    #: Set on a job that has told its progress.
    has_reported = False
    #: Set on a job of which the database refuses any outcome: its row says still that
    #: it is executed.
    is_refused = False

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
            # Failed jobs by their error, with the times that a look at all needs.
            PartialIndex(
                fields=["state", "error_key", "id", "finished_at"],
                name="%(app_label)s_%(class)s_error",
                condition=Q(state=State.FAILED),
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
        # For logs and terminals: a name may hold a user's text.
        return one_line(f"{self.name} (id={self.pk}, queue={self.queue})")

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Stores the fields that are yours to change, such as `queue` and `priority`.

        The queue's own columns (OWN_COLUMNS) are left out, because the job may have got
        another state, lease or epoch meanwhile; to name one of them is a ValueError. Of
        a row that is gone, nothing is stored, which is a DatabaseError. In the
        `enqueue` hook there is nothing to do, because `enqueue` stores the job.
        """
        if self.being_enqueued:
            return
        inserts = self._state.adding or options.get("force_insert") or any(args[:1])
        if not inserts:
            if own := OWN_COLUMNS.intersection(update_fields or ()):
                raise ValueError(
                    f"{', '.join(sorted(own))}: only the queue changes that of a job. "
                    "See `manage.py jobs` and jobs.operator.actions."
                )
            if update_fields is None:
                update_fields = self._yours()
        super().save(*args, update_fields=update_fields, **options)

    def _yours(self) -> set[str]:
        fields = [field for field in self._meta.concrete_fields if not field.primary_key]
        read = {field.name for field in fields} - self.get_deferred_fields()
        return read - OWN_COLUMNS

    def require_readable(self) -> None:
        """Raises DeserializationError if a column's value can't be read."""
        if self.unreadable:
            columns = ", ".join(self.unreadable)
            raise DeserializationError(f"The row can't be read: {columns}.")

    @cached_property
    def payload(self) -> Any:
        """The job object, loaded on first use.

        Raises DeserializationError if it can't be, and what its code or the database
        raises. Loading isn't tried twice, because what stopped the first try might take
        as long again.
        """
        self.require_readable()
        if isinstance(self._load_failure, DeserializationError):
            raise self._load_failure
        if self._load_failure is not None:
            raise DeserializationError("It could not be loaded when it was tried before.")
        try:
            return payloads.load(self.handler, self.signature)
        except BaseException as error:
            self._load_failure = error
            raise

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
        kept = settings.KEEP_RESULTS_FOR if self.result else settings.KEEP_SUCCEEDED_FOR
        return bool(kept > 0)


class Job(AbstractJob):
    class Meta(AbstractJob.Meta):
        abstract = False
        # Besides Django's own: `view_job` and `delete_job`.
        permissions = [
            ("retry_job", "Can retry jobs"),
            ("reschedule_job", "Can change when jobs run"),
            ("cancel_job", "Can cancel jobs"),
            ("unlock_job", "Can let go of jobs' locks"),
            ("move_job", "Can change the queue and the priority of jobs"),
        ]
