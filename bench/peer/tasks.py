import time

from django_tasks import task


@task()
def noop() -> None: ...


@task()
def note_time(path: str) -> None:
    with open(path, "a") as file:
        file.write(f"{time.time()}\n")
