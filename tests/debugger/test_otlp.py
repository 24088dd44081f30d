"""Spans in the file format of OpenTelemetry, read by its own parser where there is one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conductor_adapters.debugger.otlp import SPANS, otlp_lines
from conductor_adapters.debugger.span_words import Mark
from conductor_adapters.debugger.spans import Span, spans_of
from tests.debugger.golden import NAMES, golden

IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def lines_of(name: str) -> list[dict[str, Any]]:
    """The lines of a recorded log."""
    recording = golden(name)
    return list(otlp_lines(recording.header, spans_of(recording)))


def spans_in(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The spans of a line."""
    (resource,) = line["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    spans: list[dict[str, Any]] = scope["spans"]
    return spans


def as_protobuf_has_it(value: Any) -> Any:
    """The same with ids in base64, as the JSON of Protocol Buffers has bytes, and OTLP has not."""
    if isinstance(value, list):
        return [as_protobuf_has_it(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode()
        if key in IDS
        else as_protobuf_has_it(item)
        for key, item in value.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_what_the_parser_of_opentelemetry_reads(name: str) -> None:
    """Every key is known to it, and every value of its type; what it read is what was written."""
    pb2 = pytest.importorskip(
        "opentelemetry.proto.trace.v1.trace_pb2", reason="needs opentelemetry-proto"
    )
    json_format = pytest.importorskip("google.protobuf.json_format", reason="needs protobuf")
    for line in lines_of(name):
        written = as_protobuf_has_it(line)
        parsed = json_format.ParseDict(written, pb2.TracesData())
        assert json_format.ParseDict(json_format.MessageToDict(parsed), pb2.TracesData()) == parsed
        (scope,) = parsed.resource_spans[0].scope_spans
        assert len(scope.spans) == len(spans_in(line))
        for span, told in zip(scope.spans, spans_in(line), strict=True):
            assert span.trace_id.hex() == told["traceId"]
            assert span.span_id.hex() == told["spanId"]
            assert str(span.start_time_unix_nano) == told["startTimeUnixNano"]
            assert span.end_time_unix_nano >= span.start_time_unix_nano


def test_a_long_log_is_several_lines() -> None:
    """None with more spans than are easily held."""
    lines = lines_of("checkpoints")
    sizes = [len(spans_in(line)) for line in lines]
    assert sizes == [SPANS, SPANS, SPANS, 1012 - 3 * SPANS]


def test_a_log_of_which_nothing_has_ended_is_no_line() -> None:
    """An empty file is a file of spans, too."""
    assert list(otlp_lines(golden("timeouts").header, ())) == []


def test_a_span_is_told_with_all_there_is() -> None:
    """Ids in hexadecimal digits, times and integers as text, choices as numbers."""
    span = Span(
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "2",
        parent_id="0" * 15 + "3",
        name="step a",
        start_ms=1,
        end_ms=2,
        attributes={"text": "ü", "number": 3, "truth": True, "row": ("a", "b")},
        marks=(Mark(name="bare", at_ms=1, attributes={}),),
        error="it broke",
        linked=("0" * 31 + "4", "0" * 15 + "5"),
    )
    (line,) = otlp_lines(golden("timeouts").header, [span])
    assert spans_in(line) == [
        {
            "traceId": "00000000000000000000000000000001",
            "spanId": "0000000000000002",
            "parentSpanId": "0000000000000003",
            "name": "step a",
            "kind": 1,
            "startTimeUnixNano": "1000000",
            "endTimeUnixNano": "2000000",
            "attributes": [
                {"key": "text", "value": {"stringValue": "ü"}},
                {"key": "number", "value": {"intValue": "3"}},
                {"key": "truth", "value": {"boolValue": True}},
                {
                    "key": "row",
                    "value": {"arrayValue": {"values": [{"stringValue": c} for c in "ab"]}},
                },
            ],
            "events": [{"timeUnixNano": "1000000", "name": "bare"}],
            "links": [
                {"traceId": "00000000000000000000000000000004", "spanId": "0000000000000005"}
            ],
            "status": {"message": "it broke", "code": 2},
        }
    ]


def test_the_scope_is_the_core_that_wrote_the_log() -> None:
    """So that another release, which exports it again, writes the same bytes."""
    recording = golden("timeouts")
    (resource,) = lines_of("timeouts")[0]["resourceSpans"]
    assert resource["scopeSpans"][0]["scope"] == {
        "name": "conductor_core",
        "version": recording.header.core,
    }
    assert json.dumps(lines_of("timeouts")) == json.dumps(lines_of("timeouts"))
