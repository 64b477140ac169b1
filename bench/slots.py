"""Measures one worker that watches many Batch jobs of the local AWS Batch."""

from __future__ import annotations

import json
import signal
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from batchexec.local.guard import SIGNED
from bench import processes
from bench.databases import Database
from scripts.stack import Stack, free_port

NAME = "bench"
POLL, LEASE = 2.0, 20.0
#: The containers only wait. The local AWS Batch starts one of them, and the others stay
#: RUNNABLE.
SETTINGS = {
    "BATCHEXEC_COMMAND": '["sh", "-c", "sleep 600"]',
    "BATCHEXEC_POLL_INTERVAL": str(POLL),
    "JOBS_LEASE": str(LEASE),
}


class Slots:
    """A worker with `number` slots, as processes and the local AWS Batch see it."""

    def __init__(self, database: Database, stack: Stack, port: int, number: int):
        self._database, self._stack, self._port, self._number = database, stack, port, number
        self.worker = self._start()

    def _start(self) -> Any:
        slots = ("--concurrency", str(self._number))
        return self._stack.start("worker", "jobworker", "--batch", *slots, "--name", NAME)

    def calls(self, action: str) -> int:
        url = f"http://127.0.0.1:{self._port}/_calls"
        request = urllib.request.Request(url, headers=SIGNED)
        with urllib.request.urlopen(request) as answer:
            return int(json.load(answer)["counts"].get(action, 0))

    def enqueue(self, number: int) -> None:
        self._database.measure("many", number=number)

    def wait_for(self, what: str, number: int, seconds: float, since: float = 0.0) -> float:
        """Waits until `what` of `measures.count` is `number`; returns the seconds."""

        def reached() -> bool:
            return bool(self._database.measure("count", since=since)[what] >= number)

        return processes.wait_until(reached, seconds, 0.2)

    def describes_per_poll(self) -> float:
        before, began = self.calls("DescribeJobs"), time.monotonic()
        time.sleep(5 * POLL)
        return (self.calls("DescribeJobs") - before) / ((time.monotonic() - began) / POLL)

    def memory(self) -> float:
        return processes.memory(self.worker.pid)["rss"]

    def restart(self, signum: int) -> dict[str, float]:
        """Ends the worker by a signal and starts its successor of the same name.

        Returns the seconds until it ended (`exit`), the seconds until the successor
        watches all jobs (`taken_over`), and the `submissions` made meanwhile.
        """
        submissions, began = self.calls("SubmitJob"), time.monotonic()
        self.worker.send_signal(signum)
        self.worker.wait(100)
        ended = time.monotonic() - began
        since, began = time.time(), time.monotonic()
        self.worker = self._start()
        self.wait_for("watched", self._number, 100, since)
        taken = time.monotonic() - began
        time.sleep(2 * POLL)
        submissions = self.calls("SubmitJob") - submissions
        return {"exit": ended, "taken_over": taken, "submissions": submissions}


def run(database: Database, number: int) -> dict[str, Any]:
    """Figures of a worker that watches `number` Batch jobs and is restarted twice."""
    with tempfile.TemporaryDirectory(prefix="delayed-jobs-slots-") as folder:
        environment = {**database.environment, **SETTINGS}
        with Stack(Path(folder), environment) as stack:
            port = free_port()
            stack.start_batch(port, "--max-running", "1")
            slots = Slots(database, stack, port, number)
            slots.enqueue(1)
            slots.wait_for("submitted", 1, 60)
            time.sleep(3)
            figures: dict[str, Any] = {"slots": number, "rss_of_one": slots.memory()}
            slots.enqueue(number - 1)
            figures["submission"] = slots.wait_for("submitted", number, 300)
            time.sleep(3)
            figures["describes_per_poll"] = slots.describes_per_poll()
            figures["rss"] = slots.memory()
            figures["descriptors"] = processes.descriptors(slots.worker.pid)
            before = processes.cpu_seconds(slots.worker.pid)
            time.sleep(5)
            figures["cpu"] = (processes.cpu_seconds(slots.worker.pid) - before) / 5
            figures["term"] = slots.restart(signal.SIGTERM)
            figures["kill"] = slots.restart(signal.SIGKILL)
            stack.end("worker", signal.SIGKILL)  # it may wait for long
            return figures
