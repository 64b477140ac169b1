"""Nobody can forge a line of a log or a table."""

from __future__ import annotations

import logging

import pytest

import jobs
from jobs.models import Job, State
from tests.processes import row
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)

FORGED = "x\n2026-11-25 00:00:00,000 CRITICAL jobs.worker FORGED\r\x1b[2J\u2028\x85end"


class Named(Record):
    def display_name(self) -> str:
        return FORGED


class BadHooks(Fail):
    def error(self) -> None:
        raise RuntimeError(FORGED)

    failure = error


@pytest.fixture
def lines(caplog):
    """The lines of the log, as a handler of text writes them."""
    caplog.set_level(logging.INFO)

    def written() -> list[str]:
        formatter = logging.Formatter("%(levelname)s %(name)s %(message)s")
        return "\n".join(formatter.format(record) for record in caplog.records).splitlines()

    return written


def is_harmless(line: str) -> bool:
    starts_as_one = not line or line.startswith(("INFO ", "WARNING ", "ERROR ", "    "))
    return starts_as_one and "\x1b" not in line and "\r" not in line


def test_a_name_and_a_queue_are_one_line_of_the_log(lines):
    jobs.enqueue(Named(1), queue="q\nCRITICAL forged")
    jobs.enqueue(Fail(FORGED))
    jobs.Worker().work_off()
    assert len([line for line in lines() if not line.startswith("    ")]) == 4
    assert [line for line in lines() if not is_harmless(line)] == []


def test_a_hooks_error_is_indented_in_the_log(lines, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    jobs.enqueue(BadHooks(FORGED))
    jobs.Worker().work_off()
    text = "\n".join(lines())
    assert "The error hook of job" in text
    assert "The failure hook of job" in text
    assert [line for line in lines() if not is_harmless(line)] == []


def test_the_fields_of_a_job_are_a_line_each(capsys):
    from django.core.management import call_command

    job = jobs.enqueue(Named(1), queue="q\nstate  succeeded")
    call_command("jobs", "show", str(job.pk))
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.startswith("state")] == [
        ["state", "ready"]
    ]
    assert row(job).state == State.READY
    assert Job.objects.count() == 1
