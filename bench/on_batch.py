"""How long a job takes to a container on the local AWS Batch and back, step by step."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.databases import Database
from scripts.stack import Stack, free_port

#: The steps in their order, each with what it leads to.
STEPS = (
    "enqueue",
    "claim",
    "submit",
    "container",
    "runjob",
    "job",
    "outcome",
    "slot free",
)
#: How long to wait for one job, and for the traces of all, in seconds.
LIMIT = 60.0


def run(database: Database, number: int, poll: float, settle: float) -> dict[str, Any]:
    """Seconds of each step, with those two settings of the worker."""
    environment = {
        **database.environment,
        "BATCHEXEC_POLL_INTERVAL": f"{poll:g}",
        "BATCHEXEC_SETTLE": f"{settle:g}",
        "JOBS_KEEP_SUCCEEDED_FOR": "3600",
    }
    with (
        tempfile.TemporaryDirectory(prefix="delayed-jobs-on-batch-") as folder,
        Stack(Path(folder), environment) as stack,
    ):
        stack.start_batch(free_port())
        stack.start("worker", "jobworker", "--batch", "--concurrency", str(number + 1))
        found = database.measure("steps", path=f"{folder}/times", number=number)
        stack.end("worker", signal.SIGTERM)
    return {"poll": poll, "settle": settle, **found}


def steps(path: str, number: int) -> list[dict[str, float]]:
    """Enqueues `number` jobs, each when the last one has begun, after one more."""
    import jobs
    from bench.noop import NoteStart

    enqueued: dict[str, tuple[float, float]] = {}
    file = Path(path)
    file.write_text("")
    ended = _Ended()
    for done in range(number + 1):
        began = time.time()
        job = jobs.enqueue(NoteStart(path))
        enqueued[str(job.pk)] = began, time.time()
        ended.wait(lambda done=done: file.read_text().count("\n") > done, LIMIT)
    ended.wait(lambda: ended.free.keys() >= enqueued.keys(), LIMIT)
    ended.wait(lambda: ended.created.keys() >= enqueued.keys(), LIMIT)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [_durations(line, *enqueued[line["job"]], ended) for line in lines[1:]]


class _Ended:
    """What is seen of jobs from outside, looking all the time."""

    def __init__(self) -> None:
        #: By a job's id: when its marker was gone, when AWS Batch had created its Batch
        #: job, and when its outcome was recorded.
        self.free: dict[str, float] = {}
        self.created: dict[str, float] = {}
        self.finished: dict[str, float] = {}
        self._known: set[str] = set()

    def wait(self, condition: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"A job on the local AWS Batch took longer than {seconds:g} s.")
            self._look()
            time.sleep(0.02)

    def _look(self) -> None:
        from batchexec.models import BatchExecutionRecord, BatchJob
        from jobs.models import Job

        markers = set(BatchJob.objects.values_list("job_id", flat=True))
        now = time.time()
        for gone in self._known - markers:
            self.free.setdefault(gone, now)
        self._known |= markers
        if self.free.keys() - self.finished.keys():
            for pk, instant in Job.objects.values_list("pk", "finished_at"):
                if instant is not None:
                    self.finished[str(pk)] = instant.timestamp()
        if not markers and self.free.keys() - self.created.keys():
            for job, instant in BatchExecutionRecord.objects.values_list("job_id", "submitted_at"):
                if instant is not None:
                    self.created[job] = instant.timestamp()


def _durations(
    line: dict[str, Any], began: float, enqueued: float, ended: _Ended
) -> dict[str, Any]:
    job = line["job"]
    instants = [
        began,
        enqueued,
        line["claimed"],
        ended.created[job],
        line["process"],
        line["registered"],
        line["first line"],
        ended.finished[job],
        ended.free[job],
    ]
    pairs = zip(STEPS, instants, instants[1:], strict=False)
    return {step: after - before for step, before, after in pairs}
