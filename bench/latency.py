"""How long a job waits for an idle worker.

The jobs are enqueued now and then, by a process of their own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

#: How long to wait for one job, in seconds.
LIMIT = 60.0

#: The first jobs aren't counted, because the worker may still be starting.
WARM_UP = 3


def pick_up(
    enqueue: Callable[[str], object], path: str, number: int, seed: int
) -> dict[str, list[float]]:
    """Seconds from before the call that enqueues to the first line of the job.

    `enqueue(path)` enqueues a job that writes its time to `path`. Measures `number`
    jobs one after the other, with random pauses that depend on `seed`.
    """
    chance, file = random.Random(seed), Path(path)
    file.write_text("")
    latencies = []
    for done in range(number + WARM_UP):
        time.sleep(chance.uniform(0.1, 0.4))
        began = time.time()
        enqueue(path)
        lines = _wait_for_line(file, done)
        latencies.append(float(lines[done]) - began)
    return {"seconds": latencies[WARM_UP:]}


def _wait_for_line(file: Path, number: int) -> list[str]:
    deadline = time.monotonic() + LIMIT
    while not (text := file.read_text()).endswith("\n") or text.count("\n") <= number:
        if time.monotonic() > deadline:
            raise SystemExit(f"No worker performed the job within {LIMIT:g} s.")
        time.sleep(0.002)
    return text.splitlines()
