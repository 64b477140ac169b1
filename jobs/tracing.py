"""OpenTelemetry: a span where a job is enqueued, and one where it is performed.

    JOBS = {"PLUGINS": ["jobs.plugins.ClearLocks", "jobs.tracing.Tracing"]}

By the semantic conventions for messaging: enqueueing is `send`, performing is
`process`, in a trace of its own that is linked to the first. Its context goes with the
row, so it doesn't matter in which process or container the job is performed. Needs
`opentelemetry-api` (the extra `otel`); the SDK and its exporter are yours to set up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.lifecycle import Plugin
from jobs.logs.error_text import summary
from jobs.payloads import carried_by
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker

SYSTEM = "django-delayed-batch"
#: How long a process that ends waits for its spans to be exported, in milliseconds.
FLUSH = 5_000

_propagator = TraceContextTextMapPropagator()


class Tracing(Plugin):
    """Makes the spans. A job that carries no context, or nonsense, has no link."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("jobs")
        self._in_a_worker = False

    def around_enqueue(self, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        attributes = _attributes(job, "send", "enqueue")
        name = f"send {attributes['messaging.destination.name']}"
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.PRODUCER, attributes=attributes
        ) as span:
            # Without baggage, which may hold what doesn't concern the database.
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
            job._carried = carrier
            result = proceed()
            if job.pk is not None:
                span.set_attribute("messaging.message.id", str(job.pk))
            return result

    def around_invoke_job(self, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        attributes = _attributes(job, "process", "perform")
        attributes["messaging.message.id"] = str(job.pk)
        attributes["jobs.attempt"] = job.attempts + 1
        # A link, not a parent: the row decides nothing, not even what is sampled.
        sent = trace.get_current_span(_propagator.extract(carried_by(job.handler)))
        context = sent.get_span_context()
        with self._tracer.start_as_current_span(
            f"process {attributes['messaging.destination.name']}",
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(context)] if context.is_valid else [],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return proceed()
            except BaseException as error:  # a time limit isn't an Exception
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, summary(error)))
                span.set_attribute("error.type", type(error).__qualname__)
                raise

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        self._in_a_worker = True
        try:
            return proceed()
        finally:
            _flush()

    def around_perform(self, worker: Worker, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        try:
            return proceed()
        finally:
            if not self._in_a_worker:  # a container ends now
                _flush()


def _attributes(job: AbstractJob, type_: str, name: str) -> dict[str, Any]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.type": type_,
        "messaging.operation.name": name,
        "messaging.destination.name": storable(str(job.queue)),
        "jobs.name": storable(str(job.name)),
    }


def _flush() -> None:
    """Only the SDK's provider can; without it there are no spans."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(FLUSH)
