"""celery with Redis as its broker, at the address that BENCH_BROKER holds."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from celery import Celery, signals

from bench.peers.notes import note_time

#: Where a worker writes how long it took, and for how many tasks.
TIMES, NUMBER = "BENCH_TIMES", "BENCH_NUMBER"
SECONDS = 300.0
SETTINGS: dict[str, Any] = {"INSTALLED_APPS": []}

app = Celery("bench", broker=os.environ["BENCH_BROKER"])


@app.task
def noop() -> None: ...


@app.task
def note(path: str) -> None:
    note_time(path)


class _Timer:
    """Times the tasks of a worker's process, from the first one's begin on."""

    began = 0.0
    done = 0

    def begin(self, **details: Any) -> None:
        self.began = self.began or time.perf_counter()

    def end(self, **details: Any) -> None:
        self.done += 1
        if self.done == int(os.environ[NUMBER]):
            seconds = time.perf_counter() - self.began
            Path(os.environ[TIMES]).write_text(f"{seconds}\n")


timer = _Timer()
if TIMES in os.environ:
    signals.task_prerun.connect(timer.begin)
    signals.task_postrun.connect(timer.end)


def enqueue(number: int) -> None:
    for _ in range(number):
        noop.delay()


def enqueue_note(path: str) -> None:
    note.delay(path)


def drain(number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times"
        environment = {**os.environ, TIMES: str(times), NUMBER: str(number)}
        command = ["-m", "celery", "-A", __name__, "worker", "--concurrency", "1"]
        log = Path(folder) / "log"
        with log.open("wb") as output:
            worker = subprocess.Popen(
                [sys.executable, *command, "--loglevel", "WARNING"],
                env=environment,
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + SECONDS
            while not (times.exists() and times.read_text().endswith("\n")):
                if time.monotonic() > deadline or worker.poll() is not None:
                    raise SystemExit(f"celery performed too few tasks:\n{log.read_text()}")
                time.sleep(0.02)
            timer.done = number
            return float(times.read_text())
        finally:
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(30)
            worker.kill()


def finished() -> int:
    return timer.done  # nothing is kept of them


def unfinished() -> int:
    with app.connection_or_acquire() as connection:
        return int(connection.default_channel.client.llen("celery"))


def forget() -> None:
    app.control.purge()
