"""What the alarms count, held against what `jobs check` really writes."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

import jobs
from batchexec.deploying import templates
from jobs.models import Job, State
from tests.processes import ROOT
from tests.samples import Record

HOUR = dt.timedelta(hours=1)
AWAY = "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=100"


def counts(metric: str, text: str) -> int:
    """The lines of a log that the metric's filter matches."""
    resources = templates.parsed(templates.text("alarms"))["Resources"].values()
    (pattern,) = (
        one["Properties"]["FilterPattern"]
        for one in resources
        if one["Type"] == "AWS::Logs::MetricFilter"
        and one["Properties"]["MetricTransformations"][0]["MetricName"] == metric
    )
    return sum(matches(pattern, line) for line in text.splitlines())


def matches(pattern: str, line: str) -> bool:
    """CloudWatch's patterns of terms: all, or one of those with a `?`.

    Source: CloudWatch Logs, filter pattern syntax. An empty pattern matches every line.
    """
    terms = re.findall(r'(\?|-|)(?:"([^"]*)"|(\S+))', pattern)
    assert all(sign in ("", "?") for sign, _, _ in terms)
    assert len({sign for sign, _, _ in terms}) <= 1, "AWS ignores `?` beside terms without"
    found = [(quoted or word) in line for _, quoted, word in terms]
    return any(found) if terms and terms[0][0] else all(found)


def test_the_matcher_matches_as_cloudwatch_does() -> None:
    assert matches("", "anything")
    assert matches('"a b" c', "c a b")
    assert not matches('"a b" c', "a b")
    assert matches('?"a b" ?c', "c")
    assert not matches('?"a b" ?c', "b a")


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    def run() -> str:
        capsys.readouterr()
        with suppress(SystemExit):  # it found something
            call_command("jobs", "check", "--max-age", "300")
        said = capsys.readouterr()
        return said.out + said.err

    return run


def overdue() -> None:
    jobs.enqueue(Record(), run_at=timezone.now() - HOUR)


def changed(**fields: Any) -> None:
    job = jobs.enqueue(Record())
    Job.objects.filter(pk=job.pk).update(updated_at=timezone.now() - HOUR, **fields)


def detached() -> None:
    changed(state=State.DETACHED)


def reserved() -> None:
    changed(state=State.RUNNING, locked_by="w", locked_at=timezone.now())


def abandoned() -> None:
    changed(state=State.RUNNING, locked_by="w", runner="w/1", locked_at=timezone.now() - HOUR)


def paused() -> None:
    overdue()
    call_command("jobs", "pause", "default", "--reason", "a while")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("made", "other"),
    [
        (lambda: None, None),
        (overdue, "OldestWaiting"),
        (detached, "Stuck"),
        (reserved, "Stuck"),
        (abandoned, "Stuck"),
        (paused, None),
    ],
    ids=["healthy", "overdue", "detached", "reserved", "abandoned", "paused"],
)
def test_a_look_that_succeeds_is_counted_whatever_it_finds(
    check: Callable[[], str], made: Callable[[], None], other: str | None
) -> None:
    made()
    said = check()
    assert counts("Checked", said) >= 1, said
    for metric in ("OldestWaiting", "Stuck"):
        assert bool(counts(metric, said)) == (metric == other), said


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DATABASE_URL": AWAY}, "The database can't be reached"),
        ({"DATABASE_URL": "sqlite:///{folder}/empty"}, "The database isn't migrated"),
        ({"DATABASE_URL": AWAY, "JOBS_LEASE": "soon"}, "LEASE"),
    ],
    ids=["away", "not migrated", "a wrong setting"],
)
def test_a_look_that_fails_is_not_counted(
    tmp_path: Any, variables: dict[str, str], says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "jobs", "check"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            **{name: value.format(folder=tmp_path) for name, value in variables.items()},
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode
    assert says in done.stdout
    assert counts("Checked", done.stdout) == 0, done.stdout
