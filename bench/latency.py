"""How long a job waits for an idle worker: enqueued now and then, by a process of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

LIMIT = 60.0


def pick_up(
    enqueue: Callable[[str], object], path: str, number: int, seed: int
) -> dict[str, list[float]]:
    """Seconds from before the call that enqueues to the first line of the job, for `number` jobs one after the other."""
    chance, file = random.Random(seed), Path(path)
    file.write_text("")
    latencies = []
    for done in range(number + 3):
        time.sleep(chance.uniform(0.1, 0.4))
        began = time.time()
        enqueue(path)
        lines = _wait_for_line(file, done)
        latencies.append(float(lines[done]) - began)
    return {"seconds": latencies[3:]}  # the first ones find a worker that is still starting


def _wait_for_line(file: Path, number: int) -> list[str]:
    deadline = time.monotonic() + LIMIT
    while not (text := file.read_text()).endswith("\n") or text.count("\n") <= number:
        if time.monotonic() > deadline:
            raise SystemExit(f"No worker performed the job within {LIMIT:g} s.")
        time.sleep(0.002)
    return text.splitlines()
