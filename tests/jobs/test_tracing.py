"""A job's span is linked to that of who enqueued it, wherever it is performed."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import jobs
from jobs import payloads
from jobs.models import Job, State
from jobs.payloads import carried_by
from tests.handlers import set_rows
from tests.processes import row, wait_for
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)

PLUGINS = ["jobs.plugins.ClearLocks", "jobs.tracing.Tracing"]
exporter = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def _provider():
    """A process can set it only once."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@pytest.fixture
def spans(settings):
    settings.JOBS = {"PLUGINS": PLUGINS, "MAX_ATTEMPTS": 2}
    exporter.clear()
    return exporter.get_finished_spans


def test_enqueueing_and_performing_are_linked_spans(spans):
    with trace.get_tracer("app").start_as_current_span("a request") as request:
        job = jobs.enqueue(Record(), queue="mail")
    assert jobs.Worker().work_off() == (1, 0)
    sent, _, processed = spans()
    assert (sent.name, sent.kind) == ("send mail", SpanKind.PRODUCER)
    assert sent.parent.span_id == request.get_span_context().span_id
    assert (processed.name, processed.kind) == ("process mail", SpanKind.CONSUMER)
    assert processed.parent is None
    [link] = processed.links
    assert link.context.trace_id == sent.context.trace_id
    assert link.context.span_id == sent.context.span_id
    for span, operation in ((sent, "send"), (processed, "process")):
        assert span.attributes["messaging.system"] == "django-delayed-batch"
        assert span.attributes["messaging.operation.type"] == operation
        assert span.attributes["messaging.destination.name"] == "mail"
        assert span.attributes["messaging.message.id"] == str(job.pk)
        assert span.attributes["jobs.name"] == "tests.samples.Record"
    assert processed.status.status_code is StatusCode.UNSET


def test_each_of_many_jobs_has_its_span(spans):
    jobs.enqueue_many([Record(), Record()])
    jobs.Worker().work_off()
    sent, processed = spans()[:2], spans()[2:]
    assert [span.kind for span in sent] == [SpanKind.PRODUCER] * 2
    assert {span.links[0].context.span_id for span in processed} == {
        span.context.span_id for span in sent
    }


def test_a_failed_attempt_is_an_error_with_its_number(spans):
    jobs.enqueue(Fail("no luck"))
    jobs.Worker().work_off()
    set_rows(run_at=row(Job.objects.get()).created_at)
    jobs.Worker().work_off()
    first, second = spans()[1:]
    assert [span.attributes["jobs.attempt"] for span in (first, second)] == [1, 2]
    for span in (first, second):
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "RuntimeError: no luck"
        assert [event.name for event in span.events] == ["exception"]
        assert len(span.links) == 1


@pytest.mark.parametrize(
    "carried",
    [
        None, [], "x", 5, {}, {"traceparent": None}, {"traceparent": 5}, {"traceparent": ""},
        {"traceparent": "00-0-0-00"}, {"traceparent": "x" * 5000}, {"traceparent": {"a": []}},
        {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
        {"traceparent": "\n\x1b[2J", "tracestate": "=\n="},
    ],
)  # fmt: skip
def test_a_row_without_a_context_or_with_nonsense_has_no_link(spans, carried):
    job = jobs.enqueue(Record())
    stored = json.loads(job.handler)
    del stored["carried"]
    if carried is not None:
        stored["carried"] = carried
    handler = json.dumps(stored)
    set_rows(handler=handler, signature=payloads.sign(handler))
    exporter.clear()
    assert jobs.Worker().work_off() == (1, 0)
    [span] = spans()
    assert span.links == ()


def test_nothing_is_carried_without_the_plugin(settings):
    settings.JOBS = {"PLUGINS": ["jobs.plugins.ClearLocks"]}
    job = jobs.enqueue(Record())
    assert set(json.loads(job.handler)) == {"class", "fields"}
    assert carried_by(job.handler) == {}


def test_a_worker_without_the_plugin_performs_a_job_that_carries_a_context(spans, calls):
    job = jobs.enqueue(Record(7))
    assert set(carried_by(job.handler)) == {"traceparent"}
    assert jobs.Worker(plugins=[]).work_off() == (1, 0)
    assert calls == [7]


def test_a_container_exports_its_span_before_it_ends(spans, start, tmp_path):
    job = jobs.enqueue(Record())
    [sent] = spans()
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, locked_by="w", handed_over=True)
    file = tmp_path / "spans"
    plugins = "jobs.plugins.ClearLocks,tests.traced.TracedToFile"
    container = start(
        "runjob", str(job.pk), JOB_EPOCH="0", JOBS_PLUGINS=plugins, SPANS_FILE=str(file)
    )
    assert container.wait() == 0, container.output
    [line] = wait_for(lambda: file.read_text().splitlines())
    found = json.loads(line)
    assert found["name"] == "process default"
    assert found["link"] == f"{sent.context.trace_id:032x}-{sent.context.span_id:016x}"
