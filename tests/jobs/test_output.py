"""Commands do their work although nobody can read what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from jobs.management.output import Output, OutputCommand, silence
from jobs.models import Job
from tests.processes import ROOT, environment


class Talkative(OutputCommand):
    """Says more than a pipe or a buffer has room for."""

    done = 0
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for self.done in range(100):
            self.stdout.write("x" * 10_000)


class Stopping(Talkative):
    stops_unread = True


@pytest.fixture
def unread() -> Iterator[Any]:
    """A stream whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        yield stream


@pytest.fixture
def full() -> Iterator[Any]:
    with Path("/dev/full").open("w") as stream:
        yield stream


def test_a_command_goes_on_when_its_reader_has_gone(unread):
    command = Talkative(stdout=unread)
    command.execute(no_color=True, force_color=False, skip_checks=True)
    assert command.done == 99


def test_a_command_that_only_shows_something_ends_then(unread):
    with pytest.raises(BrokenPipeError):
        Stopping(stdout=unread).execute(no_color=True, force_color=False, skip_checks=True)
    silence(unread)  # of what is in its buffer


def test_a_command_goes_on_when_the_disk_is_full_and_says_so_in_the_end(full):
    command = Talkative(stdout=full)
    with pytest.raises(CommandError, match=r"It is done, but .*: No space left on device"):
        command.execute(no_color=True, force_color=False, skip_checks=True)
    assert command.done == 99


def test_without_a_stream_everything_is_taken():
    output = Output(None, stops=True)
    output.write("x")
    output.flush()
    assert (output.isatty(), output.failure) == (False, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("redirection", "status"), [(">&- 2>&-", 0), (">/dev/full", 1)])
def test_a_job_is_enqueued_although_its_id_can_not_be_said(redirection, status):
    enqueue = f'"{sys.executable}" manage.py enqueue tests.samples.Record value=1 {redirection}'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {enqueue}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert ("It is done" in done.stderr) == bool(status)
    assert Job.objects.get().payload.value == 1
