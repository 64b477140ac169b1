"""`django.tasks`, or before Django 6.0 its backport: only here is known which.

The backport, `django-tasks`, is an extra of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.tasks import signals
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus

    NAME: str
    InvalidTask: type[Exception]
    InvalidTaskBackend: type[Exception]
    TaskResultDoesNotExist: type[Exception]
    task_backends: Any
else:
    NAME, BACKPORT = "django.tasks", "django_tasks"
    try:
        module = import_module(NAME)
    except ModuleNotFoundError:
        try:
            module = import_module(NAME := BACKPORT)
        except ModuleNotFoundError as error:
            raise ImportError(
                "jobs.tasks needs Django 6.0 or newer, or the package django-tasks: "
                "pip install 'django-delayed-batch[tasks]'."
            ) from error
    signals = import_module(f"{NAME}.signals")
    BaseTaskBackend = import_module(f"{NAME}.backends.base").BaseTaskBackend
    base = import_module(f"{NAME}.base")
    Task, TaskContext, TaskError = base.Task, base.TaskContext, base.TaskError
    TaskResult, TaskResultStatus = base.TaskResult, base.TaskResultStatus
    task_backends = module.task_backends
    found = vars(import_module(f"{NAME}.exceptions"))
    # The backport is about to take over Django's names.
    InvalidTask = found.get("InvalidTask") or found["InvalidTaskError"]
    InvalidTaskBackend = found.get("InvalidTaskBackend") or found["InvalidTaskBackendError"]
    TaskResultDoesNotExist = found["TaskResultDoesNotExist"]

#: The app of the backport; None where Django has tasks itself.
APP: str | None = None if NAME == "django.tasks" else NAME
#: Where the class of tasks is: a package may use the backport on any Django.
CLASSES = {("django.tasks.base", "Task"), ("django_tasks.base", "Task")}


def is_task(found: Any) -> bool:
    return any((cls.__module__, cls.__name__) in CLASSES for cls in type(found).__mro__)


__all__ = [
    "APP",
    "BaseTaskBackend",
    "InvalidTask",
    "InvalidTaskBackend",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "is_task",
    "signals",
    "task_backends",
]
