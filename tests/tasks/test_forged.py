"""Rows that somebody without a key wrote: a clear failure, and no import."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from django.core.management import call_command

import jobs
from jobs import exceptions, payloads, results
from jobs.models import Job
from jobs.operator import signing
from jobs.operator.signing import Seen
from jobs.tasks import compat
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)

UNSIGNED = (
    '{"errors":[{"class":"antigravity.x","traceback":""}],"worker_ids":[],"return_value":'
    '{"$model":["jobs.job",1]}}'
)


@pytest.fixture(autouse=True)
def nothing_is_imported_or_read(monkeypatch: pytest.MonkeyPatch) -> Any:
    from jobs.payloads import instances

    monkeypatch.setattr(instances, "read", lambda *args: pytest.fail("A row was read."))
    yield
    assert "antigravity" not in sys.modules


def worked_off() -> tuple[int, int]:
    return jobs.Worker(name="w").work_off()


def row(result: Any) -> Job:
    return Job.objects.get(pk=result.id)


def write(of: Any, /, **fields: Any) -> Any:
    """Writes the row as somebody would, and returns the result that it then has."""
    Job.objects.filter(pk=of.id).update(**fields)
    return compat.task_backends["default"].get_result(of.id)


def ended(reply: Any) -> Any:
    work.replies.append(reply)
    result = work.reply.enqueue()
    worked_off()
    return result


def signed(text: str, by: Any) -> str:
    return f'{{"signature":"{by(text)}",{text[1:]}'


#: From the row's column, and that of another job's row, to what somebody writes.
FORGERIES = {
    "unsigned": lambda own, other: UNSIGNED,
    "of another job": lambda own, other: other,
    "changed": lambda own, other: own.replace("builtins.ValueError", "antigravity.x")[:-1] + " }",
    "a member more": lambda own, other: own[:-1] + ',"return_value":5}',
    "a member before": lambda own, other: '{"return_value":5,' + own[1:],
    "of a handler": lambda own, other: signed(UNSIGNED, payloads.sign),
    "of no key": lambda own, other: signed(UNSIGNED, lambda text: "0" * 64),
    "in capitals": lambda own, other: own[:14] + own[14:78].upper() + own[78:],
    "cut": lambda own, other: own[:70],
    "not ASCII": lambda own, other: signed(UNSIGNED, lambda text: "é" * 64),
    "a space before": lambda own, other: " " + own,
    "no JSON": lambda own, other: "{",
    "a list": lambda own, other: "[]",
}


@pytest.mark.parametrize("reply", [5, ValueError("no")], ids=["succeeded", "failed"])
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_result_that_is_not_signed_for_its_row_is_a_clear_failure(forge, reply):
    result, other = ended(reply), ended(reply)
    found = write(result, result=forge(row(result).result, row(other).result))
    assert found.errors[0].exception_class is exceptions.DeserializationError
    assert f"What job {result.id} keeps of its tries isn't signed" in found.errors[0].traceback
    assert (found.is_finished, found.worker_ids) == (True, [])
    result.refresh()
    if reply == 5:
        with pytest.raises(exceptions.DeserializationError, match="isn't signed"):
            result.return_value  # noqa: B018
    else:
        assert [error.exception_class for error in result.errors[1:]] == [exceptions.JobError]
    said = io.StringIO()
    call_command("jobs", "show", result.id, stdout=said)
    assert "isn't signed with one of this project's keys" in said.getvalue()


def test_an_older_result_of_the_same_job_is_no_return_value():
    result = work.stubborn.enqueue(1)
    jobs.Worker(name="w").work_off(1)
    before = row(result).result
    jobs.Worker(name="w").work_off(1)
    for text in (before, results.EMPTY):
        write(result, result=text)
        result.refresh()
        with pytest.raises(exceptions.DeserializationError, match="keeps no return value"):
            result.return_value  # noqa: B018


@pytest.mark.parametrize("text", ["x", "5", '{"errors": 5}', '{"worker_ids": {}}', UNSIGNED])
def test_a_result_that_somebody_broke_stops_nobody_and_begins_anew(text, caplog):
    result = work.add.enqueue(1)
    waiting = write(result, result=text)
    assert (waiting.status, waiting.attempts, len(waiting.errors)) == ("READY", 0, 1)
    assert worked_off() == (1, 0)
    found = work.add.get_result(result.id)
    assert (found.return_value, found.errors, found.worker_ids) == (1, [], ["w"])
    assert any(f"What job {result.id} keeps" in each.getMessage() for each in caplog.records)


def test_a_handler_that_somebody_wrote_has_a_result_but_nothing_of_it_is_imported():
    result = work.add.enqueue(1)
    forged = row(result).handler.replace("work.add", "evil.run")
    found = write(result, handler=forged)
    assert (found.status, found.args) == ("READY", [])
    assert found.task.module_path == "tests.tasks.work.add"
    worked_off()
    found = compat.task_backends["default"].get_result(result.id)
    assert [error.exception_class for error in found.errors] == [exceptions.DeserializationError]


@pytest.mark.parametrize("name", ["antigravity.x", "antigravity", "os.abort", "tests.tasks.work"])
def test_a_name_is_not_signed_so_nothing_is_found_by_it(name):
    found = write(work.add.enqueue(1), name=name, signature="")
    assert found.task.func.__qualname__ == name.rpartition(".")[2]
    with pytest.raises(exceptions.NotKnownYet):
        found.task.call()


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "lost"},
        {"name": ""},
        {"name": "no path"},
        {"handler": ""},
        {"handler": "[]", "signature": ""},
        {"priority": 2**31 - 1},
        {"runner": "@"},
        {"state": "detached", "runner": ""},
        {"state": "running", "runner": "", "locked_by": ""},
        {"state": "failed"},
    ],
)
def test_a_row_that_somebody_wrote_has_a_result_all_the_same(broken):
    found = write(work.add.enqueue(1), **broken)
    assert found.status in compat.TaskResultStatus
    assert found.is_finished == (broken.get("state") in ("failed", "lost"))
    assert isinstance(found.task.module_path, str)
    if found.is_finished:
        assert found.errors[-1].exception_class is exceptions.JobError


def test_a_key_that_is_rotated_keeps_results_readable(settings):
    settings.JOBS = {"SIGNING_KEYS": ["old"]}
    kept, lost = ended(5), ended(6)
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    kept.refresh()
    assert kept.return_value == 5
    assert {str(job.pk) for job in signing.to_be_signed()} == {kept.id, lost.id}
    signing.sign(Seen.of(row(kept)))
    settings.JOBS = {"SIGNING_KEYS": ["new"]}
    kept.refresh()
    assert kept.return_value == 5
    lost.refresh()
    with pytest.raises(exceptions.DeserializationError):
        lost.return_value  # noqa: B018


def test_a_result_of_an_older_key_is_signed_again_with_a_handler_of_todays(settings):
    settings.JOBS = {"SIGNING_KEYS": ["new"]}
    work.replies.append(5)
    result = work.reply.enqueue()
    settings.JOBS = {"SIGNING_KEYS": ["old", "new"]}  # a worker that isn't restarted yet
    worked_off()
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    (job,) = signing.to_be_signed()
    signing.sign(Seen.of(job))
    assert list(signing.to_be_signed()) == []
    settings.JOBS = {"SIGNING_KEYS": ["new"]}
    result.refresh()
    assert result.return_value == 5
