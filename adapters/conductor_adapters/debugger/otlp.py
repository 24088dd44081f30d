"""Spans as OTLP/JSON, the file format of OpenTelemetry: JSON Lines, each a TracesData.

Rule: nothing of OpenTelemetry is needed to write it. Ids are hexadecimal, times are nanoseconds
in text, choices are numbers, as OTLP has it. A line holds at most SPANS spans, so that whoever
reads line by line need not hold everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from conductor_adapters.debugger.span_words import Attributes, Mark, Value
from conductor_adapters.debugger.spans import Span
from conductor_core.log import Header

SPANS: Final = 256
SERVICE: Final = "conductor"
SCOPE: Final = "conductor_core"
NS_PER_MS: Final = 1_000_000
INTERNAL: Final = 1
"""The kind of a span that is no call from one process to another."""
FAILED: Final = 2
"""The status code of a span that is an error; that of any other is left unset."""


def otlp_lines(header: Header, spans: Iterable[Span]) -> Iterator[dict[str, Any]]:
    """The spans of a log as rows of TracesData, of which each is a line."""
    rest = iter(spans)
    while batch := list(islice(rest, SPANS)):
        yield traces_data(header, batch)


def traces_data(header: Header, spans: Iterable[Span]) -> dict[str, Any]:
    """Spans as one TracesData; its scope is the core that wrote the log, whoever exports it."""
    scope_spans = {
        "scope": {"name": SCOPE, "version": header.core},
        "spans": [_span(span) for span in spans],
    }
    resource = {"attributes": _attributes({"service.name": SERVICE})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope_spans]}]}


def _span(span: Span) -> dict[str, Any]:
    told: dict[str, Any] = {"traceId": span.trace_id, "spanId": span.span_id}
    if span.parent_id is not None:
        told["parentSpanId"] = span.parent_id
    told |= {
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": _nanoseconds(span.start_ms),
        "endTimeUnixNano": _nanoseconds(span.end_ms),
        "attributes": _attributes(span.attributes),
    }
    if span.marks:
        told["events"] = [_mark(mark) for mark in span.marks]
    if span.linked is not None:
        trace_id, span_id = span.linked
        told["links"] = [{"traceId": trace_id, "spanId": span_id}]
    if span.error is not None:
        told["status"] = {"message": span.error, "code": FAILED}
    return told


def _mark(mark: Mark) -> dict[str, Any]:
    told: dict[str, Any] = {"timeUnixNano": _nanoseconds(mark.at_ms), "name": mark.name}
    if mark.attributes:
        told["attributes"] = _attributes(mark.attributes)
    return told


def _nanoseconds(at_ms: int) -> str:
    """A time; OTLP knows none before 1970, where the clocks of tests may stand."""
    return str(max(0, at_ms) * NS_PER_MS)


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [_value(item) for item in value]}}
