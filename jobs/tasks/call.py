"""The call of a task's function, as a job."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.crypto import get_random_string

from jobs import commits
from jobs import results as kept
from jobs.exceptions import Cancelled, JobError
from jobs.execution.tries import result_after
from jobs.logs.error_text import without_queue
from jobs.models import Job
from jobs.payloads import Performable, dump, finished
from jobs.runner import default_name, worker_runner
from jobs.states import FINISHED, State
from jobs.store import store_for
from jobs.tasks import decorating, results
from jobs.tasks.compat import TaskContext, signals
from jobs.tasks.functions import function_at, path_of
from jobs.tasks.telling import tell
from jobs.tasks.values import plain
from jobs.text import first_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Of the id of a task that has no row.
ID_LENGTH = 32


@dataclass
class TaskCall(Performable):
    """What a task's `enqueue` stores: the function by its dotted path, and arguments.

    Options that the queue asks a job object for, such as `max_attempts`, are stored
    with it, as they were when the task was enqueued.
    """

    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    #: The alias in TASKS.
    backend: str
    takes_context: bool = False
    run_after: dt.datetime | None = None

    @classmethod
    def of(
        cls, task: Any, args: list[Any], kwargs: dict[str, Any], said: decorating.Options
    ) -> TaskCall:
        """Raises InvalidTask for a function that no worker finds, TypeError or
        ValueError for arguments that JSON has no counterpart for.
        """
        call = cls(
            path_of(task.func),
            _argument(task, "args", args),
            _argument(task, "kwargs", kwargs),
            task.backend,
            task.takes_context,
            task.run_after,
        )
        call.__dict__["max_attempts"] = said.max_attempts or decorating.MAX_ATTEMPTS
        for name in ("max_run_time", "batch"):
            if (value := getattr(said, name)) is not None:
                call.__dict__[name] = value
        return call

    def awaited(self, on_commit: bool | None) -> list[str]:
        """The databases whose commits the row waits for."""
        return commits.awaited(store_for(Job).alias, on_commit)

    def promised(self, task: Any) -> results.JobResult:
        """A result that has no row yet. Raises ValueError if it can't get one."""
        row = Job(pk="", queue=task.queue_name, name=self.function, handler=dump(self))
        store_for(Job).check_size(row)
        row.__dict__["payload"] = self
        return results.of(row, task)

    def display_name(self) -> str:
        return self.function

    @property
    def reschedule_at(self) -> Any:
        """The function of that name among the task's options; None if it has none."""
        return decorating.of(function_at(self.function)).reschedule_at

    def _require_known(self) -> None:
        function_at(self.function)

    def enqueue(self, job: AbstractJob) -> None:
        job.result = kept.EMPTY

    def before(self, job: AbstractJob) -> None:
        self._job = job
        self._error: BaseException | None = None
        if job.being_enqueued:
            _begin_here(job)
        self._running = results.of(job)
        tell(signals.task_started, self._running)

    def perform(self) -> Any:
        arguments = list(self.args)
        if self.takes_context:
            arguments.insert(0, TaskContext(task_result=self._running))
        returned = finished(function_at(self.function)(*arguments, **self.kwargs))
        try:
            value = plain(returned)
            _check_size(self._job, value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"What {self.function} returned can't be stored: {error}") from None
        return value

    def error(self, job: AbstractJob, exception: BaseException) -> None:
        self._error = exception

    def after(self, job: AbstractJob) -> None:
        if job.being_enqueued:  # there is no row, and this is the end
            _end(job, self._error)
            tell(signals.task_finished, results.of(job))

    def ended_here(self) -> AbstractJob | None:
        """The job, if it was performed where it was enqueued, and has ended."""
        job = getattr(self, "_job", None)
        return job if job is not None and job.being_enqueued and job.state in FINISHED else None

    def _succeeded(self, job: AbstractJob) -> None:
        tell(signals.task_finished, results.of(_ended(job, None)))

    def _cancelled(self, job: AbstractJob) -> None:
        _tell_failed(results.of(job), Cancelled("The job was cancelled."))

    def failure(self, job: AbstractJob) -> None:
        # Nobody has it at hand if the worker died, or if the function wasn't found.
        error = getattr(self, "_error", None) or JobError(first_line(job.last_error))
        _tell_failed(results.of(_ended(job, error)), error)


def _tell_failed(result: results.JobResult, error: BaseException) -> None:
    """Receivers that report the exception that is being handled find the error."""
    trace = error.__traceback__
    try:
        raise error.with_traceback(without_queue(trace))
    except BaseException:
        tell(signals.task_finished, result)
    finally:
        error.__traceback__ = trace


def _argument(task: Any, label: str, value: Any) -> Any:
    try:
        return plain(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"The {label} of {task.module_path} can't be stored: {error}") from None


def _check_size(job: AbstractJob, value: Any) -> None:
    """Raises ValueError if the row can't hold the return value."""
    before, job.result = job.result, kept.after_success(job, value)
    try:
        store_for(type(job)).check_size(job)
    finally:
        job.result = before


def _begin_here(job: AbstractJob) -> None:
    """With DELAY_JOBS off, a job has no row: it goes through its states in memory."""
    job.pk = get_random_string(ID_LENGTH)
    tell(signals.task_enqueued, results.of(job))
    job.state, job.started_at = State.RUNNING, timezone.now()
    job.runner = worker_runner(default_name(), job.epoch)


def _ended(job: AbstractJob, error: BaseException | None) -> AbstractJob:
    """The job as it ended, even if its row is deleted."""
    if job.state in FINISHED:
        return job
    ended = copy.copy(job)
    _end(ended, error)
    return ended


def _end(job: AbstractJob, error: BaseException | None) -> None:
    job.finished_at = timezone.now()
    if error is None:
        job.state, job.result = State.SUCCEEDED, kept.after_success(job, job.returned)
    else:
        job.state = State.FAILED
        job.result = result_after(job, error) or ""
