"""Spans handed to exporters of the OpenTelemetry SDK."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conductor_adapters.debugger.otlp import NS_PER_MS
from conductor_adapters.debugger.spans import spans_of
from conductor_core.errors import ConductorError
from tests.debugger.golden import NAMES, golden

pytest.importorskip("opentelemetry.sdk.trace", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from conductor_adapters.debugger.span_export import BATCH, export


class Batches(SpanExporter):
    """An exporter that counts, and fails when it has had enough."""

    def __init__(self, fails_after: int) -> None:
        self.sizes: list[int] = []
        self._fails_after = fails_after

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take a batch."""
        if len(self.sizes) == self._fails_after:
            return SpanExportResult.FAILURE
        self.sizes.append(len(spans))
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize("name", NAMES)
def test_what_is_exported_is_what_is_told(name: str) -> None:
    """Ids, times, attributes, events, links and status of every span."""
    exporter = InMemorySpanExporter()
    told = list(spans_of(golden(name)))
    assert export(golden(name), exporter) == len(told)
    for found, span in zip(exporter.get_finished_spans(), told, strict=True):
        assert found.name == span.name
        assert found.context is not None
        assert f"{found.context.trace_id:032x}" == span.trace_id
        assert f"{found.context.span_id:016x}" == span.span_id
        parent = None if found.parent is None else f"{found.parent.span_id:016x}"
        assert parent == span.parent_id
        assert (found.start_time, found.end_time) == (
            span.start_ms * NS_PER_MS,
            span.end_ms * NS_PER_MS,
        )
        assert dict(found.attributes or {}) == span.attributes
        assert [event.name for event in found.events] == [mark.name for mark in span.marks]
        assert [dict(event.attributes or {}) for event in found.events] == [
            mark.attributes for mark in span.marks
        ]
        assert len(found.links) == (span.linked is not None)
        assert (found.status.status_code is StatusCode.ERROR) == (span.error is not None)
        assert found.status.description == span.error


def test_a_span_is_what_the_sdk_writes() -> None:
    """Its own way to tell a span knows what to make of it."""
    exporter = InMemorySpanExporter()
    export(golden("rerun-retry-step"), exporter)
    for span in exporter.get_finished_spans():
        assert '"service.name": "conductor"' in span.to_json()


def test_to_export_again_gives_the_same() -> None:
    """To the last byte."""
    texts = []
    for _ in range(2):
        exporter = InMemorySpanExporter()
        export(golden("approve-all"), exporter)
        texts.append([span.to_json() for span in exporter.get_finished_spans()])
    assert texts[0] == texts[1]


def test_a_long_log_is_exported_in_batches() -> None:
    """As the SDK does it."""
    batches = Batches(fails_after=100)
    assert export(golden("checkpoints"), batches) == 1012
    assert batches.sizes == [BATCH, 1012 - BATCH]


def test_an_exporter_that_fails_is_told() -> None:
    """With how far it came; all may be exported once more."""
    with pytest.raises(ConductorError) as raised:
        export(golden("checkpoints"), Batches(fails_after=1))
    assert str(raised.value) == (
        "checkpoints: the exporter failed after 512 spans, at the next 500"
    )
