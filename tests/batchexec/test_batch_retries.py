"""AWS Batch's own retries: only of what hasn't been recorded."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import pytest

import jobs
from batchexec import Resources
from jobs.models import Job, State
from tests.batchexec.places import details
from tests.processes import lines, released, row, wait_for
from tests.samples import Append, Fail, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def exit_codes(client: Any, batch: Any) -> list[int | None]:
    """Of each start of the only Batch job, once it is over."""
    wait_for(lambda: details(client, batch)[0]["status"] in ("SUCCEEDED", "FAILED"))
    (detail,) = details(client, batch)
    return [attempt["container"].get("exitCode") for attempt in detail["attempts"]]


def with_attempts(payload: Any, **batch: Any) -> Job:
    payload.batch = Resources(**batch)
    return jobs.enqueue(payload)


def test_a_job_that_raised_is_not_started_again_under_its_epoch(batch, worker, client_of):
    job = with_attempts(Fail(), attempts=3)
    assert worker().work_off() == (0, 1)
    assert exit_codes(client_of(batch), batch) == [1]
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)


def test_a_job_that_was_told_to_end_and_recorded_that_is_not_started_again(
    batch, worker, client_of, tmp_path
):
    log, reclaimed = tmp_path / "log", tmp_path / "reclaimed"
    batch.set_faults([f"Container:reclaim:when={reclaimed}"])
    job = with_attempts(Wait(str(log), str(tmp_path / "never")), attempts=3)
    with released(reclaimed, once=lambda: lines(log)):
        assert worker().work_off() == (0, 1)
    assert exit_codes(client_of(batch), batch) == [143]
    assert row(job).last_error.startswith("Terminated: ")


@pytest.mark.parametrize("status", [3, 4])
def test_a_container_that_has_nothing_to_perform_is_not_started_again(
    batch, worker, client_of, settings, status
):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["sh", "-c", f"exit {status}"]}
    with_attempts(Append("never written"), attempts=3)
    assert worker().work_off() == (0, 1)
    assert exit_codes(client_of(batch), batch) == [status]


@pytest.mark.parametrize("status", [2, 75, 13, 139])
def test_a_container_that_could_not_record_anything_is_started_again(
    batch, worker, client_of, settings, tmp_path, status
):
    """75: the database was away. 13 and 139 only begin or go on like 1, 3, 143."""
    log, mark = tmp_path / "log", tmp_path / "mark"
    once = f"test -e {mark} || {{ touch {mark}; exit {status}; }}"
    command = f'{once}; {shlex.quote(sys.executable)} manage.py runjob "$0"'
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["sh", "-c", command]}
    with_attempts(Append(str(log)), attempts=3)
    assert worker().work_off() == (1, 0)
    assert exit_codes(client_of(batch), batch) == [status, 0]
    assert lines(log) == ["performed"]


def test_ones_own_rules_stand_in_place_of_ours(batch, worker, client_of, settings):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["sh", "-c", "exit 7"]}
    rules = [{"onExitCode": "7*", "action": "EXIT"}]
    with_attempts(Append("never written"), attempts=3, evaluate_on_exit=rules)
    assert worker().work_off() == (0, 1)
    assert exit_codes(client_of(batch), batch) == [7]
