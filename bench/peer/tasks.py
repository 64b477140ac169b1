"""The tasks of django-tasks-db that do what the jobs of `bench.noop` do."""

import time

from django_tasks import task


@task()
def noop() -> None: ...


@task()
def note_time(path: str) -> None:
    """Writes down when it is performed."""
    with open(path, "a") as file:
        file.write(f"{time.time()}\n")
