"""Performs what was enqueued: in this thread, and on this test's connection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings as of_django
from django.test import override_settings
from django.utils import timezone

from jobs import transitions
from jobs.conf import settings
from jobs.lifecycle import Plugin, not_handing_over
from jobs.models import Job
from jobs.process.holds import Hold
from jobs.process.leases import Heartbeat
from jobs.runner import worker_runner
from jobs.states import State
from jobs.store import store_for
from jobs.worker import Worker, run

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: A test that enqueues more jobs than this in one go has an endless loop.
MOST = 1_000
#: Seconds that a job of a test may take, where nothing is said.
TIMEOUT = 60.0


@dataclass
class Performed:
    """A job as it was after one attempt, and what it raised."""

    job: AbstractJob
    error: BaseException | None

    @property
    def payload(self) -> Any:
        """The job object that was performed."""
        return self.job.payload


def run_jobs(
    *,
    queue: str | None = None,
    until: dt.datetime | None = None,
    errors: Literal["raise", "collect"] = "raise",
    most: int = MOST,
    timeout: float = TIMEOUT,
    model: type[AbstractJob] = Job,
) -> list[Performed]:
    """Performs every job that is due, in the order of the queue, and those that these
    enqueue.

    Each is loaded from its row, with its hooks, plugins, time limit and signals, and
    its outcome is recorded, as in a worker. `until` is the instant until which jobs are
    due, by default now by this process's clock, which may be frozen. Only the jobs of
    `queue`, if you name one.

    The first exception of a job is raised, once its outcome is recorded;
    `errors="collect"` goes on, and has it in the result. A job that takes longer than
    `timeout` seconds is interrupted by a WorkerTimeout, so that it doesn't hang the
    test; its own `max_run_time` may be shorter. Raises AssertionError if there are more
    than `most` jobs.
    """
    limit = min(settings.MAX_RUN_TIME or timeout, timeout)
    given = {**getattr(of_django, "JOBS", {}), "MAX_RUN_TIME": limit}
    with override_settings(JOBS=given):
        return _performed(queue, until, errors, most, model)


def _performed(
    queue: str | None, until: dt.datetime | None, errors: str, most: int, model: type[AbstractJob]
) -> list[Performed]:
    noting = _noting()
    plugins = [*not_handing_over(settings.PLUGINS), noting]
    worker = Worker(plugins=plugins, model=model, heartbeat=_Still)
    performed: list[Performed] = []
    while (job := _next(model, queue, until or timezone.now())) is not None:
        if len(performed) == most:
            raise AssertionError(
                f"More than {most} jobs were performed: do they enqueue themselves?"
            )
        if not transitions.take(job, worker.name, worker_runner(worker.name, job.epoch)):
            continue  # another process has it
        noting.raised = None
        worker.lifecycle.run("perform", run, worker, job)
        performed.append(Performed(job, noting.raised))
        if noting.raised is not None and errors == "raise":
            raise noting.raised
    return performed


def _next(model: type[AbstractJob], queue: str | None, until: dt.datetime) -> AbstractJob | None:
    """The next job as its row is, however it was changed in the test."""
    waiting = model._base_manager.using(store_for(model).alias).filter(
        state__in=[State.READY, State.SCHEDULED], run_at__lte=until
    )
    if queue is not None:
        waiting = waiting.filter(queue=queue)
    pk = waiting.order_by("priority", "run_at", "pk").values_list("pk", flat=True).first()
    return None if pk is None else store_for(model).get(pk)


def _noting() -> Any:
    """A plugin: a class for each call, because the worker makes the instance."""

    class Noting(Plugin):
        raised: BaseException | None = None

        def around_invoke_job(self, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
            try:
                return proceed()
            except BaseException as error:
                type(self).raised = error
                raise

    return Noting


class _Still(Heartbeat):
    """Nobody else looks at a test's jobs, so their leases aren't renewed."""

    def _begin(self, hold: Hold) -> None:
        pass
