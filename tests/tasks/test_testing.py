"""The helpers for tests, on tasks."""

from __future__ import annotations

import pytest

from jobs import testing
from tests.tasks import work

pytestmark = pytest.mark.django_db


def test_a_task_is_found_by_its_arguments_however_they_were_given(calls):
    result = work.add.enqueue(1, b=2)
    assert str(testing.assert_enqueued(work.add, a=1, b=2).pk) == result.id
    assert str(testing.assert_enqueued(work.add, a=1, queue="default", priority=0).pk) == result.id
    work.mail.enqueue(order=42)
    testing.assert_enqueued(work.mail, order=42, queue="mail", priority=-7)
    work.look.enqueue("x")
    testing.assert_enqueued(work.look, args=("x",))
    with pytest.raises(AssertionError, match="No such job waits: add"):
        testing.assert_enqueued(work.add, a=2)
    testing.assert_not_enqueued(work.think)
    testing.run_jobs()
    testing.assert_no_jobs()
    result.refresh()
    assert result.return_value == 3


def test_the_error_of_a_task_is_raised():
    work.replies.append(ValueError("of the task"))
    result = work.reply.enqueue()
    with pytest.raises(ValueError, match="of the task"):
        testing.run_jobs()
    result.refresh()
    assert result.status == "FAILED"
    with testing.inline():
        assert work.add.enqueue(1).return_value == 1


def test_tasks_are_found_and_enqueued_by_their_path():
    from io import StringIO

    from django.core.management import CommandError, call_command

    from jobs.models import Job

    out = StringIO()
    call_command("enqueue", "tests.tasks.work.mail", "order=42", "--priority", "5", stdout=out)
    job = Job.objects.of(work.mail).get()
    assert out.getvalue() == f"Job {job.pk}: tests.tasks.work.mail\n"
    assert (job.priority, job.payload.kwargs) == (-5, {"order": 42})
    assert not Job.objects.of(work.add).exists()
    for wrong in (("--priority", "101"), ("--unique-key", "x")):
        with pytest.raises(CommandError, match="can't be enqueued"):
            call_command("enqueue", "tests.tasks.work.mail", *wrong)


def test_jobs_show_tells_what_a_task_returned_and_jobs_list_does_not():
    import json
    from io import StringIO

    from django.core.management import call_command

    work.replies.append({"sent": ["\x1b[31m"]})
    result = work.reply.enqueue()
    testing.run_jobs()

    def said(*arguments: str) -> str:
        out = StringIO()
        call_command("jobs", *arguments, stdout=out)
        return out.getvalue()

    shown = said("show", result.id)
    assert "tests.tasks.work.reply" in shown
    assert json.loads(shown.partition("\nreturn value\n")[2]) == {"sent": ["\x1b[31m"]}
    (listed,) = json.loads(said("list", "--json"))
    assert "result" not in listed
    assert "return_value" in json.loads(said("show", result.id, "--json"))["result"]
