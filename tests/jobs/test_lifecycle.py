from __future__ import annotations

import pytest

import jobs
from jobs import transitions
from jobs.lifecycle import EVENTS, Lifecycle
from jobs.models import Job
from tests.samples import Fail, Hooked, Record

pytestmark = pytest.mark.django_db(transaction=True)


def recorder(name: str, log: list[str]) -> type[jobs.Plugin]:
    """A plugin that writes down every event's callbacks."""
    methods = {}
    for event in EVENTS:
        methods[f"before_{event}"] = lambda self, *arguments, event=event: log.append(
            f"{name} before {event}"
        )
        methods[f"after_{event}"] = lambda self, *arguments, event=event: log.append(
            f"{name} after {event}"
        )

        def around(self, *arguments, event=event):
            log.append(f"{name} around {event}")
            result = arguments[-1]()
            log.append(f"{name} around {event} ends")
            return result

        methods[f"around_{event}"] = around
    return type(name, (jobs.Plugin,), methods)


def test_befores_in_order_the_first_around_is_outermost_then_the_body_then_afters():
    log: list[str] = []
    lifecycle = Lifecycle([recorder("one", log)(), recorder("two", log)()])
    assert (
        lifecycle.run("perform", lambda worker, job: log.append("body") or "result", "w", "j")
        == "result"
    )
    assert log == [
        "one before perform",
        "two before perform",
        "one around perform",
        "two around perform",
        "body",
        "two around perform ends",
        "one around perform ends",
        "one after perform",
        "two after perform",
    ]


def test_afters_do_not_run_where_the_body_raises():
    log: list[str] = []

    def body(job: object) -> None:
        raise RuntimeError("the body")

    with pytest.raises(RuntimeError, match="the body"):
        Lifecycle([recorder("one", log)()]).run("enqueue", body, "j")
    assert log == ["one before enqueue", "one around enqueue"]


def test_events_are_nested_as_in_delayed_job(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    log: list[str] = []
    jobs.enqueue(Fail())
    worker = jobs.Worker(plugins=[recorder("p", log)], exit_on_complete=True)
    worker.start()
    begun = [line for line in log if "before" in line or "after" in line]
    assert begun == [
        "p before execute",
        "p before loop",
        "p before perform",
        "p before invoke_job",
        "p before error",
        "p before failure",
        "p after failure",
        "p after error",
        "p after perform",
        "p after loop",
        "p before loop",
        "p after loop",
        "p after execute",
    ]


def test_an_around_may_leave_the_job_unperformed(calls):
    class Skips(jobs.Plugin):
        def around_perform(self, worker, job, proceed):
            return True

    jobs.enqueue(Record())
    assert jobs.Worker(plugins=[Skips]).work_off(1) == (1, 0)
    assert calls == []


def test_a_callback_for_an_unknown_event_is_refused_when_the_class_is_defined():
    with pytest.raises(jobs.InvalidCallback, match="before_lunch names no event"):

        class Lunch(jobs.Plugin):
            def before_lunch(self): ...

    with pytest.raises(
        jobs.InvalidCallback, match=r"around_perform must take \(self, worker, job, proceed\)"
    ):

        class Short(jobs.Plugin):
            def around_perform(self, worker): ...


def test_a_plugin_that_breaks_while_an_outcome_is_recorded_does_not_keep_it_from_being_recorded(
    caplog,
):
    class Breaks(jobs.Plugin):
        def before_error(self, worker, job):
            raise RuntimeError("the plugin broke")

    job = jobs.enqueue(Fail("the job broke"))
    assert jobs.Worker(plugins=[Breaks]).work_off() == (0, 1)
    job.refresh_from_db()
    assert job.last_error.startswith("RuntimeError: the job broke")
    assert "the plugin broke" in caplog.text


def test_no_failure_hook_is_called_for_an_outcome_that_is_dropped(settings, calls):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    job = jobs.enqueue(Hooked("perform"))
    reserved = Job.objects.reserve(worker := jobs.Worker())
    assert transitions.cancel(Job.objects.get(pk=job.pk))
    assert worker.run(reserved) is None
    assert "error" in calls
    assert "failure" not in calls


def test_clear_locks_frees_what_a_stopping_worker_still_holds():
    job = jobs.enqueue(Record())
    worker = jobs.Worker(name="w", exit_on_complete=True, queues=["other"])
    jobs.Job.objects.reserve(jobs.Worker(name="w"))
    worker.start()
    job.refresh_from_db()
    assert (job.locked_by, job.attempts) == ("", 1)


@pytest.mark.parametrize("place", ["before", "after", "around"])
def test_a_callback_for_no_event_is_refused_when_the_class_is_defined(place):
    with pytest.raises(jobs.InvalidCallback, match=f"{place}_ names no event"):
        type("Nothing", (jobs.Plugin,), {f"{place}_": lambda self, proceed: proceed()})
