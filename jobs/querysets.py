"""Jobs by meaning: `Job.objects.failed().of(SendInvoice)`."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.utils import timezone

from jobs.payloads import path_of
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for
from jobs.store.primary import PrimaryManager, PrimaryQuerySet

if TYPE_CHECKING:
    from typing_extensions import Self

    from jobs.store.reserver import Reserver

J = TypeVar("J", bound=models.Model)


class JobQuerySet(PrimaryQuerySet[J]):
    """Each method narrows the query set, so they can be combined.

    To change jobs, use `jobs.operator.actions`: `update()` knows nothing of leases,
    epochs and executions.
    """

    def scheduled(self) -> Self:
        """Jobs that wait for their `run_at`, among them those that failed and are tried
        again.
        """
        return self.filter(state=State.SCHEDULED)

    def ready(self) -> Self:
        """Jobs that a worker may take."""
        return self.filter(state=State.READY)

    def due(self, at: dt.datetime | None = None) -> Self:
        """Jobs that wait, and whose `run_at` has come; `at` is now by default."""
        waiting = (State.READY, State.SCHEDULED)
        return self.filter(state__in=waiting, run_at__lte=at or timezone.now())

    def running(self) -> Self:
        """Jobs that a worker has reserved, or that are executed elsewhere."""
        return self.filter(state__in=(State.RUNNING, State.DETACHED))

    def succeeded(self) -> Self:
        """Jobs that succeeded, as long as they are kept."""
        return self.filter(state=State.SUCCEEDED)

    def failed(self) -> Self:
        """Jobs that failed for good."""
        return self.filter(state=State.FAILED)

    def cancelled(self) -> Self:
        return self.filter(state=State.CANCELLED)

    def finished(self) -> Self:
        return self.filter(state__in=FINISHED)

    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)

    def in_queue(self, queue: str) -> Self:
        return self.filter(queue=queue)

    def of(self, wanted: Any) -> Self:
        """The jobs of a class of job objects, not of its subclasses; or of a task of
        `django.tasks`; or, for a text, of that name.

        Raises TypeError for anything else. No index serves it, so narrow the query set
        by a state.
        """
        if isinstance(wanted, str):
            return self.filter(name=wanted)
        if isinstance(wanted, type):
            # The name may be one of its own, made of the fields.
            return self.filter(handler__startswith=f'{{"class": {json.dumps(path_of(wanted))}, ')
        function = getattr(wanted, "func", None)
        if not inspect.isfunction(function):
            raise TypeError(
                f"{wanted!r} is neither a class of job objects, nor a task, nor a name."
            )
        path = f"{function.__module__}.{function.__qualname__}"
        return self.filter(name=path).exclude(result="")


_Manager = PrimaryManager.from_queryset(JobQuerySet)


class JobManager(_Manager[J]):
    """`Job.objects`: the methods of `JobQuerySet`, and `reserve`."""

    def reserve(self, worker: Reserver) -> J | None:
        """Claims the next job for `worker` in one conditional write, or returns None.

        If the worker hands over, a job that lost its watcher comes first. Then comes
        the ready job with the lowest (priority, run_at, id). Afterwards `locked_by`
        holds `worker.name`.
        """
        claimed = store_for(self.model).claim(worker)
        return claimed[0] if claimed else None
