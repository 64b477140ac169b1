"""huey with SQLite, in a file beside the database's. As a program, it is a consumer."""

from __future__ import annotations

import os
import time
from typing import Any

from huey import SqliteHuey

from bench.peers.notes import note_time

SETTINGS: dict[str, Any] = {"INSTALLED_APPS": []}

huey = SqliteHuey(filename=os.environ["DATABASE_URL"].removeprefix("sqlite:///") + ".huey")
performed = 0


@huey.task()
def noop() -> None:
    global performed
    performed += 1


@huey.task()
def note(path: str) -> None:
    note_time(path)


def enqueue(number: int) -> None:
    for _ in range(number):
        noop()


def enqueue_note(path: str) -> None:
    note(path)


def drain(number: int) -> float:
    consumer = huey.create_consumer()
    began = time.perf_counter()
    consumer.start()
    while performed < number:
        time.sleep(0.001)
    seconds = time.perf_counter() - began
    consumer.stop(graceful=True)
    return seconds


def finished() -> int:
    return performed


def unfinished() -> int:
    return int(huey.pending_count())


def forget() -> None:
    huey.flush()


if __name__ == "__main__":
    # The tasks are named after this module, so the consumer must have it by its name.
    from bench.peers.huey import huey as consumed

    consumed.create_consumer().run()
