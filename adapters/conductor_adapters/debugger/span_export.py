"""Spans of a recorded flow handed to an exporter of the OpenTelemetry SDK, for whoever has one.

Rule: this needs `opentelemetry-sdk` and nothing else here does. What is exported is what
`spans_of` tells, under its ids: no tracer, no sampler and no clock has a part in it.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from conductor_adapters.debugger.otlp import NS_PER_MS, SCOPE, SERVICE
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.span_words import Mark
from conductor_adapters.debugger.spans import Span, spans_of
from conductor_core.errors import ConductorError
from conductor_core.log import Header

__all__ = ["export"]

BATCH: Final = 512
"""So many spans go to an exporter at once, as the SDK's own batches do."""


def export(recording: Recording, exporter: SpanExporter) -> int:
    """Export every span that has ended, and say how many; raises ConductorError if one is refused.

    The exporter is left open. What was exported before has the same ids and the same content.
    """
    spans, exported = spans_of(recording), 0
    while batch := [readable(span, recording.header) for span in islice(spans, BATCH)]:
        if exporter.export(batch) is not SpanExportResult.SUCCESS:
            raise ConductorError(
                f"{recording.name}: the exporter failed after {exported} spans, at the next "
                f"{len(batch)}"
            )
        exported += len(batch)
    return exported


def readable(span: Span, header: Header) -> ReadableSpan:
    """A span as exporters of the SDK take it."""
    parent = None if span.parent_id is None else _context(span.trace_id, span.parent_id)
    failed = span.error is not None
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=parent,
        resource=Resource({"service.name": SERVICE}),
        attributes=span.attributes,
        events=[_event(mark) for mark in span.marks],
        links=[] if span.linked is None else [Link(_context(*span.linked))],
        status=Status(StatusCode.ERROR, span.error) if failed else Status(),
        start_time=_nanoseconds(span.start_ms),
        end_time=_nanoseconds(span.end_ms),
        instrumentation_scope=InstrumentationScope(SCOPE, header.core),
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    """The context of a span; it was sampled, as all of a log are."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)


def _event(mark: Mark) -> Event:
    return Event(mark.name, mark.attributes, _nanoseconds(mark.at_ms))


def _nanoseconds(at_ms: int) -> int:
    return max(0, at_ms) * NS_PER_MS
