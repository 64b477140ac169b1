"""The tasks of Django's own API, for the peers that are backends of it."""

from django_tasks import task

from bench.peers.notes import note_time


@task()
def noop() -> None: ...


@task()
def note(path: str) -> None:
    note_time(path)
