"""What is told of a flow id that is taken: how what is there differs from what came."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from conductor_adapters.store.taken_ids import of_flows, of_logs
from conductor_core import StepSpec, events, initial_state, reduce
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.testing.brief import START, failed, flow, group, succeeded

ONE = flow(group("g", "a", "b"))


def log_of(*sent: Event, at_ms: int = 0) -> list[str]:
    """The lines of the log of a flow."""
    state = initial_state(ONE, "f")
    writer = LogWriter(state, at_ms=at_ms)
    lines = [writer.header()]
    for event in sent:
        transition = reduce(state, event)
        state = transition.state
        lines.append(writer.entry(event, transition))
    return lines


ALL = (START, events.StepStarted(attempt="a#1", at_ms=0), succeeded("a#1"), succeeded("b#1"))


@pytest.mark.parametrize(
    ("kept", "given", "told"),
    [
        (log_of(*ALL), log_of(*ALL), "this very log is there"),
        (
            log_of(*ALL),
            log_of(*ALL[:3]),
            "it went on: its log has these 3 entries, and 1 more",
        ),
        (log_of(*ALL[:2]), log_of(*ALL), "its log ends at entry 2, and this one at entry 4"),
        (
            log_of(*ALL),
            log_of(*ALL[:2], failed("a#1")),
            "the logs part at entry 3: there a#1 succeeded, here a#1 failed",
        ),
        (
            log_of(START, succeeded("a#1", output="x\u2028y")),
            log_of(START, succeeded("a#1", output="x")),
            "the logs part at entry 2: event.output: there 'x\\u2028y', here 'x'",
        ),
        (log_of(START), log_of(START, at_ms=7), "it began otherwise: at_ms: there 0, here 7"),
    ],
)
def test_the_first_difference_of_two_logs_is_told(
    kept: Sequence[str], given: Sequence[str], told: str
) -> None:
    """By what came, where that says it, and else by its place."""
    assert of_logs(kept, given) == told


def test_how_a_line_is_written_makes_no_difference() -> None:
    """Nor does what follows from the entries alone."""
    kept = log_of(*ALL)
    given = [line.replace('","', '", "') for line in kept]
    assert of_logs(kept, given) == of_logs(given, kept) == "this very log is there"


def test_of_many_differences_some_are_told() -> None:
    """The others are counted."""
    steps = [StepSpec(key=key, timeout_ms=1) for key in ("a", "b")]
    given = evolve(flow(group("g", *steps, parallel=True)), type="another")
    told = of_flows(ONE, given)
    assert told.startswith(
        "it declares otherwise: groups[0].steps[0].timeout_ms: there nothing, here 1; "
    )
    assert told.count("; ") == 3
    assert told.endswith("; and 1 more")
