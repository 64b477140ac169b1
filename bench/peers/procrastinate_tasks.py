"""The tasks of procrastinate."""

from procrastinate.contrib.django import app

from bench.peers.notes import note_time


@app.task()
def noop() -> None: ...


@app.task()
def note(path: str) -> None:
    note_time(path)
