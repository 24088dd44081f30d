"""Text that is written at once is, to the byte, what the wire form comes to."""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from attrs import evolve

from conductor_core import FlowSpec, GroupSpec, events, initial_state, reduce
from conductor_core.codec import TAGS, encode_command, encode_event, encode_spec, texts_of
from conductor_core.digest import chain, digest_of, state_digest
from conductor_core.errors import FormatError, LogError
from conductor_core.events import StepError, StepFinished
from conductor_core.json_text import dumps
from conductor_core.log import LONGEST_LINE, LogWriter, replay
from conductor_core.loglines import pinned_text
from conductor_core.payload import DEEPEST, Payload, canonical_text, freeze
from conductor_core.spec import StepSpec
from conductor_core.statecodec import encode_state
from conductor_core.testing.arbitrary.plays import any_play
from conductor_core.testing.brief import flow, group
from conductor_core.texts import SOME, TextWriters, Unwritable
from conductor_core.verdicts import Accepted
from conductor_core.version import VERSION


@pytest.mark.parametrize("seed", range(20))
def test_events_commands_and_states_are_written_alike_both_ways(seed: int) -> None:
    """Whatever happens in a play, the text is that of the wire form, in order and sorted."""
    play = any_play(random.Random(seed).randrange, 40)
    for before, event, transition in play.steps():
        form = encode_event(event)
        assert texts_of(event) == (dumps(form), canonical_text(form))
        for command in transition.commands:
            form = encode_command(command)
            assert texts_of(command) == (dumps(form), canonical_text(form))
        assert state_digest(before) == digest_of(canonical_text(encode_state(before)))


@pytest.mark.parametrize("count", [1, SOME - 1, SOME, SOME + 1, 2 * SOME])
def test_a_row_of_any_length_is_written_alike_both_ways(count: int) -> None:
    """Headers, events and states come out the same, however many pieces they are written in."""
    steps = [StepSpec(key=f"s{n}", skippable=n % 3 > 0, input={"n": n % 2}) for n in range(count)]
    state = initial_state(flow(group("g", *steps)), "flow")
    writer = LogWriter(state, at_ms=0)
    form = {
        "log": "conductor-log/1",
        "flow_id": "flow",
        "semantics": 1,
        "core": VERSION,
        "spec": encode_spec(state.spec),
        "at_ms": 0,
    }
    assert writer.header() == dumps(form) + "\n"
    assert replay([writer.header()]).digest == digest_of(canonical_text(form))
    assert state_digest(state) == digest_of(canonical_text(encode_state(state)))
    event = events.AppendRequested(at_ms=0, by="ann", groups=[group("more", *steps)])
    form = encode_event(event)
    assert texts_of(event) == (dumps(form), canonical_text(form))


WRONG: list[Any] = [
    events.FlowStarted(at_ms=True),
    events.FlowStarted(at_ms="0"),  # type: ignore[arg-type]
    events.FlowStarted(at_ms=1 << 63),
    events.StepStarted(at_ms=0, attempt=1),  # type: ignore[arg-type]
    events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", noop=1),  # type: ignore[arg-type]
    events.AppendRequested(at_ms=0, by="ann", groups=["no group"]),  # type: ignore[list-item]
    events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", error="no error"),  # type: ignore[arg-type]
    Accepted(),
]


@pytest.mark.parametrize("record", WRONG)
def test_what_may_not_be_written_is_not(record: Any) -> None:
    """A value that its field may not hold is refused here, and told by the wire form."""
    with pytest.raises(Unwritable):
        texts_of(record)
    with pytest.raises(FormatError):
        encode_event(record)


def test_a_state_that_may_not_be_written_has_no_digest() -> None:
    """A lone surrogate and a value of another type are told with their place."""
    state = initial_state(flow(group("g", "a")), "flow")
    with pytest.raises(FormatError, match=r"^approval: .* without lone surrogates"):
        state_digest(evolve(state, approval="\ud800"))
    with pytest.raises(FormatError, match=r"^current: expected an integer"):
        state_digest(evolve(state, current=True))


def test_a_piece_is_of_the_class_that_is_due() -> None:
    """What is written in pieces is looked at like all else."""
    with pytest.raises(Unwritable):
        list(TextWriters().pieces(GroupSpec, "no group", (GroupSpec,)))


def test_a_kind_that_nobody_knows_is_a_bug() -> None:
    """There is no text for a field that the wire form does not know."""
    with pytest.raises(TypeError, match="no text is known for"):
        TextWriters()[complex]


def test_a_header_is_written_the_long_way_where_it_must_be() -> None:
    """A very long one comes out the same; one with a wrong value is refused with its place."""
    long = FlowSpec(metadata=freeze({"note": "x" * (17 << 20)}))
    line = LogWriter(initial_state(long, "flow"), at_ms=0).header()
    assert line.startswith('{"log":"conductor-log/1","flow_id":"flow",')
    assert len(line) > 17 << 20
    with pytest.raises(FormatError, match=r"^at_ms: expected an integer, got True$"):
        LogWriter(initial_state(FlowSpec(), "flow"), at_ms=True)
    endless = FlowSpec(metadata=freeze({"note": "x" * LONGEST_LINE}))
    with pytest.raises(LogError, match=r"^a line of \d+ bytes is longer than 67108864$"):
        LogWriter(initial_state(endless, "flow"), at_ms=0).header()


def nested(depth: int) -> Payload:
    """An object that is nested so deeply."""
    return Payload('{"a":' * depth + "{}" + "}" * depth)


@pytest.mark.parametrize("depth", [DEEPEST - 2, DEEPEST + 10])
def test_a_deep_payload_is_written_alike_however_deep_it_is(depth: int) -> None:
    """One that is deeper than `freeze` lets it be is written the long way, to the same bytes."""
    state = initial_state(FlowSpec(metadata=nested(depth)), "flow")
    writer = LogWriter(state, at_ms=0)
    event = events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", output=nested(depth))
    header, entry = writer.header(), writer.entry(event, reduce(state, event))
    assert json.loads(header)["spec"] == {"metadata": nested(depth).value}
    assert json.loads(entry)["event"] == encode_event(event)
    digest = digest_of(canonical_text(json.loads(header)))
    pinned = pinned_text(json.loads(entry))
    assert json.loads(entry)["digest"] == chain(digest, pinned)


def test_the_deepest_payload_fits_everywhere() -> None:
    """The deepest that a host can make, at the end of the longest chain of causes."""
    payload = freeze(json.loads("[" * DEEPEST + "]" * DEEPEST))
    error = events.StepError(details=payload)
    for _ in range(events.CAUSES - 1):
        error = events.StepError(cause=error)
    event = events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", error=error)
    state = initial_state(flow(group("g", "a")), "flow")
    writer = LogWriter(state, at_ms=0)
    assert texts_of(event)[1] == canonical_text(encode_event(event))
    assert replay([writer.header(), writer.entry(event, reduce(state, event))]).entries == 1


def test_threads_that_write_at_first_wait_for_each_other() -> None:
    """Whoever finds that a function is being compiled waits for it, and does not do without."""
    error = StepError(cause=StepError())
    event = StepFinished(at_ms=1, attempt="a#1", outcome="failed", error=error)
    expected = TextWriters(TAGS)[StepFinished](event)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            writers, barrier = TextWriters(TAGS), Barrier(4)

            def write(writers: TextWriters, barrier: Barrier) -> object:
                barrier.wait()
                return writers[StepFinished](event)

            with ThreadPoolExecutor(4) as pool:
                written = [pool.submit(write, writers, barrier) for _ in range(4)]
            assert {each.result() for each in written} == {expected}
    finally:
        sys.setswitchinterval(interval)
