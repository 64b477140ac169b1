"""From a job's row to the result of `django.tasks`."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jobs import results
from jobs.exceptions import Cancelled, DeserializationError, JobError
from jobs.states import State
from jobs.tasks.compat import TaskError, TaskResult, TaskResultStatus
from jobs.tasks.functions import task_at

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.tasks.call import TaskCall

STATUSES = {
    State.SCHEDULED: TaskResultStatus.READY,
    State.READY: TaskResultStatus.READY,
    State.RUNNING: TaskResultStatus.RUNNING,
    State.DETACHED: TaskResultStatus.RUNNING,
    State.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    State.FAILED: TaskResultStatus.FAILED,
    State.CANCELLED: TaskResultStatus.FAILED,
}


class JobResult(TaskResult):  # type: ignore[type-arg]
    """A result whose end can be waited for: `result.wait(10)`, or `await result`."""

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> JobResult:
        """Waits until the task has finished, and returns this result, refreshed.

        Whether it succeeded, `status` says. Raises TimeoutError after `timeout`
        seconds, and TaskResultDoesNotExist if the row is gone.
        """
        from jobs.tasks import waiting

        waiting.wait(self, timeout)
        return self

    def __await__(self) -> Generator[Any, None, JobResult]:
        from jobs.tasks import waiting

        yield from waiting.finished(self).__await__()
        return self


def of(job: AbstractJob, task: Any = None) -> JobResult:
    """The result that the row is, with its `task` if that is at hand.

    Of a row whose function, arguments or signature are not good any more, it says as
    much as the row does.
    """
    call = _call(job)
    kept = results.read(job.result)
    executed = job.state in (State.RUNNING, State.DETACHED)
    begun = executed and bool(job.runner)
    if task is None:
        task = task_at(
            call.function,
            priority=-job.priority,
            backend=call.backend,
            queue_name=job.queue,
            run_after=call.run_after,
            takes_context=call.takes_context,
        )
    result = JobResult(
        task=task,
        id=str(job.pk),
        status=_status(job.state) if begun or not executed else TaskResultStatus.READY,
        enqueued_at=job.created_at,
        started_at=kept.started_at or job.started_at,
        last_attempted_at=job.started_at,
        finished_at=job.finished_at,
        args=call.args,
        kwargs=call.kwargs,
        backend=call.backend,
        errors=[TaskError(exception_class_path=e.path, traceback=e.traceback) for e in kept.errors],
        worker_ids=[*kept.worker_ids, *([results.worker_of(job)] if begun else [])],
    )
    if result.status == TaskResultStatus.FAILED and not _tells_the_end(job, result):
        result.errors.append(_last_error(job))
    object.__setattr__(result, "_return_value", kept.return_value)  # it is frozen
    return result


def become(result: JobResult, other: JobResult) -> None:
    """Makes `result`, which others hold already, say what `other` says."""
    for field in dataclasses.fields(other):
        object.__setattr__(result, field.name, getattr(other, field.name))


def _status(state: str) -> TaskResultStatus:
    """A state that nobody here wrote is the end: no worker takes the job."""
    return STATUSES[State(state)] if state in State.values else TaskResultStatus.FAILED


def path_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _call(job: AbstractJob) -> TaskCall:
    """The call that the row holds; if it can't be loaded, what its name says of it."""
    from jobs.tasks.call import TaskCall

    try:
        payload = job.payload
    except (DeserializationError, ImportError):
        payload = None
    return payload if isinstance(payload, TaskCall) else TaskCall(job.name, [], {}, "default")


def _tells_the_end(job: AbstractJob, result: JobResult) -> bool:
    """Whether the last of the errors is what ended the job.

    Not if many were cancelled by one statement, or if the row was broken.
    """
    if not result.errors:
        return False
    ended_by_cancel = result.errors[-1].exception_class_path == path_of(Cancelled)
    return ended_by_cancel or job.state != State.CANCELLED


def _last_error(job: AbstractJob) -> TaskError:
    cls = Cancelled if job.state == State.CANCELLED else JobError
    text = "The job was cancelled." if cls is Cancelled else job.last_error
    return TaskError(exception_class_path=path_of(cls), traceback=f"{path_of(cls)}: {text}\n")
