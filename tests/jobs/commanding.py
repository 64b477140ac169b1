"""`manage.py jobs` as it is typed, and jobs for it and for the admin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import load_command_class

import jobs
from jobs.models import Job, State
from tests.samples import Record


@dataclass
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: Any) -> Said:
        status: Any = 0
        try:
            load_command_class("jobs", "jobs").run_from_argv(
                ["manage.py", "jobs", *map(str, arguments)]
            )
        except SystemExit as left:
            status = left.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(status or 0, said.out, said.err)

    return run


def set_row(job: Any, **changes: Any) -> None:
    Job.objects.filter(pk=job.pk).update(**changes)


def enqueued(state: str = State.READY, payload: Any = None, **changes: Any) -> Any:
    job = jobs.enqueue(payload or Record("x"))
    set_row(job, state=state, **changes)
    return job
