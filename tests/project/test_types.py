"""What a type checker says of other people's jobs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT

pytest.importorskip("mypy")

RIGHT = """
from dataclasses import dataclass
import jobs
from jobs.models import Job

class Undecorated(jobs.Performable):
    order_id: int
    note: str = ""
    def perform(self) -> None: ...

@dataclass
class Decorated(jobs.Performable):
    order_id: int
    def perform(self) -> None: ...

job: Job = jobs.enqueue(Undecorated(42, note="x"), queue="mail")
other: Job = jobs.enqueue(Decorated(order_id=42))
key: str | None = Job.objects.failed().of(Decorated).get().unique_key
async def later() -> Job:
    return await jobs.aenqueue(Decorated(42))
"""
#: Each line with the code of the error that it is.
WRONG = {
    'Undecorated("42")': "arg-type",
    "Undecorated(42, order=1)": "call-arg",
    "Undecorated()": "call-arg",
    'Decorated("42")': "arg-type",
    "Decorated()": "call-arg",
    'jobs.enqueue(Decorated(1), priority="high")': "call-overload",
    "jobs.enqueue(Decorated(1)).no_such_thing": "attr-defined",
}


def test_wrong_arguments_of_a_job_class_are_errors(tmp_path):
    module = tmp_path / "shop_jobs.py"
    module.write_text(RIGHT + "\n".join(WRONG) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", str(module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    first = RIGHT.count("\n") + 1
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    found = {
        int(line.split(":")[1]) - first: line.rpartition("[")[2].rstrip("]") for line in errors
    }
    assert found == dict(enumerate(WRONG.values())), done.stdout + done.stderr
