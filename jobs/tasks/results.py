"""From a job's row to the result of `django.tasks`."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Unreadable:
    """In the place of a return value that nobody with a key has signed."""

    problem: str


class JobResult(TaskResult):  # type: ignore[type-arg]
    """A result whose end can be waited for: `result.wait(10)`, or `await result`."""

    __slots__ = ()

    @property
    def return_value(self) -> Any:
        """As Django's.

        Raises DeserializationError if somebody without a key wrote what is kept.
        """
        value = super().return_value
        if isinstance(value, Unreadable):
            raise DeserializationError(value.problem)
        return value

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

    Of a row whose function, arguments or signature are no longer good, it says as
    much as the row does. If what it keeps of its tries isn't signed for it, nothing of
    that is taken, and its first error says so.
    """
    call, signed = _call(job)
    try:
        kept, problem = results.read(job), ""
    except DeserializationError as error:
        kept, problem = results.Kept(), str(error)
    executed = job.state in (State.RUNNING, State.DETACHED)
    begun = executed and bool(job.runner)
    if task is None:
        task = task_at(
            call.function,
            signed=signed,
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
        errors=[_error(each.path, each.traceback) for each in kept.errors],
        worker_ids=[*kept.worker_ids, *([results.worker_of(job)] if begun else [])],
    )
    if result.status == TaskResultStatus.FAILED and not _tells_the_end(job, result):
        result.errors.append(_last_error(job))
    if problem:
        result.errors.insert(0, _error_of(DeserializationError, problem))
    value = Unreadable(problem) if problem else kept.return_value
    object.__setattr__(result, "_return_value", value)  # it is frozen
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


def _call(job: AbstractJob) -> tuple[TaskCall, bool]:
    """The call that the row holds; if it can't be loaded, what its name says of it.

    Also whether it is signed. The name never is.
    """
    from jobs.tasks.call import TaskCall

    try:
        payload = job.payload
    except (DeserializationError, ImportError):
        payload = None
    if isinstance(payload, TaskCall):
        return payload, True
    return TaskCall(job.name, [], {}, "default"), False


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
    return _error_of(cls, text)


def _error_of(cls: type[Exception], text: str) -> TaskError:
    return _error(path_of(cls), f"{path_of(cls)}: {text}\n")


def _error(path: str, traceback: str) -> TaskError:
    return TaskError(exception_class_path=path, traceback=traceback)
