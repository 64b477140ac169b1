"""Tracing that exports to a file, for processes that tests start."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from jobs.tracing import Tracing


class FileExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with open(os.environ["SPANS_FILE"], "a") as file:
            for span in spans:
                links = [
                    f"{link.context.trace_id:032x}-{link.context.span_id:016x}"
                    for link in span.links
                ]
                file.write(json.dumps({"name": span.name, "link": "".join(links)}) + "\n")
        return SpanExportResult.SUCCESS


class TracedToFile(Tracing):
    """With the processor that production uses, which exports every 5 seconds."""

    def __init__(self) -> None:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(FileExporter()))
        trace.set_tracer_provider(provider)
        super().__init__()
