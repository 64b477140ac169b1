"""The backend that TASKS names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core import checks

from jobs import commits
from jobs.instants import in_utc
from jobs.tasks import decorating
from jobs.tasks.compat import (
    APP,
    BaseTaskBackend,
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    signals,
)
from jobs.tasks.results import JobResult, become, of
from jobs.tasks.telling import tell
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.tasks.call import TaskCall

#: Of a queue's name, in characters.
LONGEST_QUEUE_NAME = 255


class JobsBackend(BaseTaskBackend):
    """`TASKS = {"default": {"BACKEND": "jobs.tasks.JobsBackend"}}`: a task is a job.

    `OPTIONS` may have `max_attempts`, `max_run_time`, `batch` and `on_commit`, and
    `queues` with the same for each queue. What `@jobs.tasks.options` says of a task
    goes before.
    """

    supports_async_task = True
    supports_defer = True
    supports_get_result = True
    supports_priority = True

    @cached_property
    def _said(self) -> decorating.BackendOptions:
        try:
            return decorating.BackendOptions(self.options)
        except (TypeError, ValueError) as error:
            raise InvalidTaskBackend(f"TASKS[{self.alias!r}]: {error}") from error

    def validate_task(self, task: Any) -> None:
        """As Django's, and that the row can hold the queue's name and `run_after`."""
        super().validate_task(task)
        name = task.queue_name
        if not isinstance(name, str) or len(name) > LONGEST_QUEUE_NAME or storable(name) != name:
            raise InvalidTask(
                f"queue_name must be text of at most {LONGEST_QUEUE_NAME} characters, without "
                f"NUL, not {name!r}."
            )
        if task.run_after is not None:
            try:
                in_utc("run_after", task.run_after)
            except (TypeError, ValueError) as error:
                raise InvalidTask(str(error)) from error

    def enqueue(self, task: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> JobResult:
        """Stores the call as a job, by one insert, which joins your open transaction.

        Raises InvalidTask for a task that this backend can't have performed, TypeError
        or ValueError for arguments that JSON has no counterpart for; then nothing is
        stored, and an open transaction stays usable. If the task's unique key is held,
        you get the result of the task that holds it, and no signal is sent.

        With DELAY_JOBS off, the task is performed at once, and has no row. With
        `on_commit`, either happens once your open transactions have been committed;
        until then the result has an empty id, and nothing can be read of it.
        """
        from jobs.tasks.call import TaskCall

        self.validate_task(task)
        args, kwargs = list(args), dict(kwargs)
        said = decorating.of(task.func).or_else(self._said.of(task.queue_name))
        call = TaskCall.of(task, args, kwargs, said)
        key = said.unique_key
        key = key(*args, **kwargs) if callable(key) else key
        if awaited := call.awaited(said.on_commit):
            promised = call.promised(task)
            commits.after(awaited, lambda: become(promised, self._enqueue(task, call, key)))
            return promised
        return self._enqueue(task, call, key)

    def _enqueue(self, task: Any, call: TaskCall, key: str | None) -> JobResult:
        from jobs.enqueueing import enqueue

        try:
            job = enqueue(
                call,
                queue=task.queue_name,
                priority=-int(task.priority),
                run_at=task.run_after,
                unique_key=key,
                on_commit=False,
            )
        except BaseException as error:
            ended = call.ended_here()
            if ended is None or isinstance(error, KeyboardInterrupt):
                raise
            return of(ended, task)
        if job.already_enqueued:
            return of(job)
        result = of(job, task)
        if not job.being_enqueued:
            tell(signals.task_enqueued, result)
        return result

    def get_result(self, result_id: str) -> JobResult:
        """The result as the row is now, of any of the backends on its table.

        Raises TaskResultDoesNotExist for the id of a job that isn't a task, and for
        everything that isn't an id.
        """
        from jobs.models import Job
        from jobs.store import store_for

        job = store_for(Job).get(result_id) if isinstance(result_id, str) else None
        if job is None or str(job.pk) != result_id or not job.result:
            raise TaskResultDoesNotExist(result_id)
        return of(job)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """The system checks `jobs.E010` and `jobs.E011`."""
        found: list[checks.CheckMessage] = [
            checks.Error(
                f"TASKS[{self.alias!r}] needs the app {app!r}, which is not installed.",
                hint=f"Add {app!r} to INSTALLED_APPS.",
                id="jobs.E010",
            )
            for app in ("jobs", APP)
            if app is not None and not apps.is_installed(app)
        ]
        try:
            self._said  # noqa: B018 (reads the options)
        except InvalidTaskBackend as error:
            found.append(checks.Error(str(error), id="jobs.E011"))
        return found
