"""A deploy in its order: migrate, a new revision of the definition, then the workers.

Two releases of a job class are two folders on PYTHONPATH. Like an image, a revision
names its own in the container's environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Job, State
from jobs.transitions import store_of
from tests.batchexec.places import add_definition
from tests.processes import Process, lines, row, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

OLD = """
import pathlib, time, jobs

class Welcome(jobs.Performable):
    path: str
    go: str

    def perform(self):
        with open(self.path, "a") as log:
            log.write("old begun\\n")
        while not pathlib.Path(self.go).exists():
            time.sleep(0.05)
        with open(self.path, "a") as log:
            log.write("old ended\\n")
"""
NEW = """
import jobs


class Welcome(jobs.Performable):
    path: str
    go: str
    language: str = "en"

    def perform(self):
        with open(self.path, "a") as log:
            log.write(f"new {self.language}\\n")
"""


class Release:
    """A version of the code, its revision of the job definition, and its processes."""

    def __init__(self, folder: Path, code: str, start: Any, client: Any):
        folder.mkdir()
        (folder / "released.py").write_text(code)
        self._path = os.pathsep.join([str(folder), os.getcwd()])
        self._start = start
        self.revision = self._register(client)

    def _register(self, client: Any) -> str:
        return add_definition(
            client,
            "delayed-jobs",
            containerProperties={
                "image": "x",
                "command": ["true"],
                "resourceRequirements": [
                    {"type": "VCPU", "value": "0.25"},
                    {"type": "MEMORY", "value": "512"},
                ],
                "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
                "environment": [{"name": "PYTHONPATH", "value": self._path}],
            },
        )

    def worker(self) -> Process:
        options = {"BATCHEXEC_JOB_DEFINITION": self.revision, "PYTHONPATH": self._path}
        return self._start("jobworker", "--batch", "--concurrency", "2", **options)

    def enqueue(self, *arguments: object) -> Job:
        words = [*map(str, arguments)]
        done = self._start("shell", "-c", _shell(words), PYTHONPATH=self._path)
        assert done.wait() == 0, done.output
        return Job.objects.get(pk=done.output.strip().splitlines()[-1])


def _shell(words: list[str]) -> str:
    return f"import jobs, released; print(jobs.enqueue(released.Welcome(*{words!r})).pk)"


def test_jobs_of_the_old_image_finish_and_those_of_the_new_one_start(
    batch, start, client_of, tmp_path
):
    client = client_of(batch)
    log, go = tmp_path / "log", tmp_path / "go"
    old = Release(tmp_path / "old", OLD, start, client)
    first = old.enqueue(log, go)
    worker = old.worker()
    wait_for(lambda: lines(log) == ["old begun"], what="the old image's job runs")

    # Migrated already. The new revision comes next; the old workers keep to theirs.
    new = Release(tmp_path / "new", NEW, start, client)
    assert new.revision != old.revision
    # The web server's new code enqueues while only old workers run.
    early = new.enqueue(log, go, "de")
    wait_for(lambda: _is_put_back(early), what="the old release puts back what it can't load")
    assert row(early).attempts == 0

    # The workers last: the new one takes over what the old one lets go of.
    worker.popen.terminate()
    assert worker.wait() == 0
    new.worker()
    Job.objects.filter(pk=early.pk).update(run_at=store_of(early).now())
    wait_for(lambda: "new de" in lines(log), what="the new image performs it")
    assert row(first).state in (State.RUNNING, State.DETACHED)

    go.touch()
    wait_for(lambda: row(first) is None and row(early) is None, what="both are done")
    assert lines(log) == ["old begun", "new de", "old ended"]
    definitions = {
        one["jobName"]: one["jobDefinition"].rpartition("/")[2]
        for one in client.describe_jobs(
            jobs=[one["jobId"] for one in batch.calls()["submissions"] if one["accepted"]]
        )["jobs"]
    }
    assert sorted(definitions.values()) == sorted([old.revision, new.revision])


def _is_put_back(job: Job) -> bool:
    now = row(job)
    return now.state == State.SCHEDULED and bool(now.epoch)
