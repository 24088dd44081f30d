"""The frames of the live view: what they say, what they leave out, and that they always fit."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_adapters.cli.live_frame import Frames
from conductor_adapters.cli.live_marks import Charset
from conductor_adapters.cli.live_rows import shares
from conductor_adapters.cli.live_times import Times
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.events import Event, StepError
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.strategies import plays

RETRIED = RetryPolicy(max_auto_retries=2, backoff_ms=(2_500,), jitter=False)
BROKEN = StepError(type="exit-status", message="exit status 3")
DEPLOY = FlowSpec(
    groups=(
        GroupSpec(key="network", steps=(StepSpec(key="plan", approval=ApprovalSpec()),)),
        GroupSpec(
            key="checks",
            parallel=True,
            steps=(
                StepSpec(key="lint", name="Look at the style", timeout_ms=60_000),
                StepSpec(key="unit", retry=RETRIED),
                StepSpec(key="audit", skip_on_failure=True),
            ),
        ),
        GroupSpec(key="publish", steps=(StepSpec(key="copy"), StepSpec(key="smoke"))),
    )
)


class Watched:
    """A flow that is fed events, and the frames that show it."""

    def __init__(self, spec: FlowSpec, encoding: str = "utf-8") -> None:
        self.times = Times()
        self.frames = Frames(self.times, Charset(encoding))
        self.state = initial_state(spec, "deploy-42")
        self.feed(events.FlowStarted(at_ms=0))

    def feed(self, event: Event) -> None:
        """Let something happen."""
        transition = reduce(self.state, event)
        self.times.happened(event, transition)
        self.state = transition.state

    def started(self, at_ms: int, *attempts: str) -> None:
        """Workers take attempts up."""
        for attempt in attempts:
            self.feed(events.StepStarted(at_ms=at_ms, attempt=attempt))

    def succeeded(self, at_ms: int, *attempts: str) -> None:
        """The work of attempts succeeds."""
        for attempt in attempts:
            self.feed(events.StepFinished(at_ms=at_ms, attempt=attempt, outcome="succeeded"))

    def failed(self, at_ms: int, *attempts: str) -> None:
        """The work of attempts fails."""
        for attempt in attempts:
            self.feed(
                events.StepFinished(at_ms=at_ms, attempt=attempt, outcome="failed", error=BROKEN)
            )

    def moving(self, now_ms: int, columns: int = 80, lines: int = 24) -> list[str]:
        """What is shown while the flow runs."""
        return [line.plain for line in self.frames.moving(self.state, now_ms, columns, lines)]

    def last(self, now_ms: int, columns: int = 80, lines: int = 24) -> list[str]:
        """What is left when the run ends."""
        return [line.plain for line in self.frames.last(self.state, now_ms, columns, lines)]


def in_checks(encoding: str = "utf-8") -> Watched:
    """The flow in its second group: one step runs, one waits to be retried, one failed."""
    flow = Watched(DEPLOY, encoding)
    flow.started(0, "plan#1")
    flow.succeeded(1_000, "plan#1")
    flow.feed(events.ApprovalResponded(at_ms=61_000, step="plan", response="approve", by="ana"))
    flow.started(61_000, "lint#1", "unit#1", "audit#1")
    flow.failed(61_200, "unit#1")
    flow.failed(61_400, "audit#1")
    return flow


def test_a_frame_shows_groups_steps_and_attempts() -> None:
    """The current group is shown in full, with its retries; the others are a line each."""
    assert in_checks().moving(62_100) == [
        "flow deploy-42: in-progress, 1 min 2 s",
        "✓ network    1 min 1 s  1 step",
        "● checks     1.1 s      1 of 3 steps finished, 1 failed, 1 retry",
        "  ● lint#1   1.1 s      runs, times out in 59 s, Look at the style",
        "  ✗ unit#1   0.2 s      error: exit-status: exit status 3",
        "  ↻ unit#2              waits, retries in 2 s",
        "  ✗ audit#1  0.4 s      error: exit-status: exit status 3",
        "· publish               2 steps",
    ]


def test_on_a_narrow_terminal_lines_are_cut() -> None:
    """The end of a line goes first; what is said first stays."""
    assert in_checks().moving(62_100, columns=40)[2:6] == [
        "● checks     1.1 s      1 of 3 steps f…",
        "  ● lint#1   1.1 s      runs, times ou…",
        "  ✗ unit#1   0.2 s      error: exit-st…",
        "  ↻ unit#2              waits, retries…",
    ]


def test_on_a_terminal_of_few_lines_what_needs_people_comes_first() -> None:
    """What failed, what waits and what runs take turns; the rest is counted."""
    assert in_checks().moving(62_100, lines=10) == [
        "flow deploy-42: in-progress, 1 min 2 s",
        "✓ network    1 min 1 s  1 step",
        "● checks     1.1 s      1 of 3 steps finished, 1 failed, 1 retry",
        "  ● lint#1   1.1 s      runs, times out in 59 s, Look at the style",
        "  ↻ unit#2              waits, retries in 2 s",
        "  ✗ audit#1  0.4 s      error: exit-status: exit status 3",
    ]
    assert in_checks().moving(62_100, lines=8) == [
        "flow deploy-42: in-progress, 1 min 2 s",
        "✓ network    1 min 1 s  1 step",
        "● checks     1.1 s      1 of 3 steps finished, 1 failed, 1 retry",
        "  ✗ audit#1  0.4 s      error: exit-status: exit status 3",
        "  … 1 waiting to retry, 1 running",
    ]


def test_without_unicode_the_marks_are_ascii() -> None:
    """A terminal of a C locale gets marks that it can show, and escapes of what it cannot."""
    frame = in_checks("ascii").moving(62_100, columns=40)
    assert frame[1] == "+ network    1 min 1 s  1 step"
    assert frame[2] == "* checks     1.1 s      1 of 3 steps..."
    assert "".join(frame).isascii()
    named = GroupSpec(key="g", name="Köln", steps=(StepSpec(key="a"),))
    assert Watched(FlowSpec(groups=(named,)), "ascii").moving(0)[1].endswith(r", K\xf6ln")


def test_an_approval_says_who_may_give_it_and_until_when() -> None:
    """The times until something is due are whole seconds."""
    asks = ApprovalSpec(required=2, approvers=("ana", "bo", "cy"), timeout_ms=86_400_000)
    group = GroupSpec(key="g", steps=(StepSpec(key="plan", approval=asks),))
    flow = Watched(FlowSpec(groups=(group,)))
    flow.succeeded(1_000, "plan#1")
    flow.feed(events.ApprovalResponded(at_ms=2_000, step="plan", response="approve", by="bo"))
    told = "1 of 2 approvals; may be approved by ana or cy; expires in"
    assert flow.moving(3_500, columns=120) == [
        "flow deploy-42: approval-awaiting, 3.5 s",
        "? g         3.5 s  approval-awaiting, 0 of 1 step finished",
        f"  ? plan#1  1.0 s  waits for approval: {told} 23 h 59 min",
    ]
    assert flow.moving(86_399_500, columns=120)[2].endswith(f"{told} 2 s")


def test_a_failure_that_waits_for_people_says_so() -> None:
    """A parked step asks for a retry or a skip."""
    group = GroupSpec(key="g", steps=(StepSpec(key="a"),))
    flow = Watched(FlowSpec(groups=(group,), options=FlowOptions(on_failure="await-retry")))
    flow.failed(10, "a#1")
    assert flow.moving(10)[1:] == [
        "? g      0.0 s  failed-pending-retry, 0 of 1 step finished",
        "  ? a#1  0.0 s  error: exit-status: exit status 3, waits for a retry or a skip",
    ]


def test_a_group_that_waits_to_be_retried_as_a_whole_says_when() -> None:
    """The backoff of a group is told once, not of each of its steps."""
    retry = RetryPolicy(max_auto_retries=1, scope="group", backoff_ms=(9_000,), jitter=False)
    group = GroupSpec(key="g", name="All", steps=(StepSpec(key="a", retry=retry),))
    flow = Watched(FlowSpec(groups=(group,)))
    flow.failed(0, "a#1")
    assert flow.moving(1)[1] == (
        "↻ g      0.0 s  0 of 1 step finished, 1 retry, retries as a whole in 9 s, All"
    )


def test_what_the_whole_flow_waits_for_stands_at_its_head() -> None:
    """Somebody must resume it; a cancel must be acknowledged; groups must be generated."""
    flow = in_checks()
    flow.feed(events.PauseRequested(at_ms=62_000, by="ana"))
    assert flow.moving(62_000)[0].endswith(
        "in-progress, 1 min 2 s, waits for somebody to resume it"
    )
    flow.feed(events.ResumeRequested(at_ms=62_000, by="ana"))
    flow.feed(events.CancelRequested(at_ms=63_000, by="ana"))
    head, *_, lint, _, _, _, _ = flow.moving(63_000)
    assert head.endswith("cancelling, 1 min 3 s, waits for 1 running, for 30 s at most")
    assert "lint#1   2.0 s      runs, is to give up" in lint
    assert Watched(FlowSpec()).moving(0) == [
        "flow deploy-42: in-progress, 0.0 s, waits for groups to be generated"
    ]


def test_the_last_frame_shows_every_attempt() -> None:
    """Where there is room, the summary of a flow that ended holds all of it."""
    flow = in_checks()
    flow.feed(events.TimerFired(at_ms=63_700, timer="backoff:unit#2"))
    flow.succeeded(64_000, "lint#1", "unit#2")
    flow.succeeded(65_000, "copy#1")
    flow.succeeded(67_000, "smoke#1")
    assert flow.last(99_000) == [
        "flow deploy-42: success, 1 min 7 s",
        "✓ network    1 min 1 s  1 step",
        "  ✓ plan#1   1.0 s      success",
        "✓ checks     3.0 s      3 steps, 1 failed, 1 retry",
        "  ✓ lint#1   3.0 s      success, Look at the style",
        "  ✗ unit#1   0.2 s      error: exit-status: exit status 3",
        "  ✓ unit#2   0.3 s      success",
        "  ✗ audit#1  0.4 s      error: exit-status: exit status 3",
        "✓ publish    3.0 s      2 steps",
        "  ✓ copy#1   1.0 s      success",
        "  ✓ smoke#1  2.0 s      success",
    ]
    assert flow.last(99_000, lines=8) == [
        "flow deploy-42: success, 1 min 7 s",
        "✓ network  1 min 1 s  1 step",
        "✓ checks   3.0 s      3 steps, 1 failed, 1 retry",
        "✓ publish  3.0 s      2 steps",
    ]


def test_the_last_frame_of_a_run_that_stopped_short_says_so() -> None:
    """What ran at the time is not said to run on."""
    flow = in_checks()
    head, *rows = flow.last(62_000)
    assert head == "flow deploy-42: in-progress when the run stopped, 1 min 2 s"
    assert "  - lint#1   1.0 s      ran when the run stopped, Look at the style" in rows


def test_a_failed_flow_shows_what_failed_and_what_never_ran() -> None:
    """The groups after the one that stopped are discarded."""
    flow = Watched(DEPLOY)
    flow.failed(1_000, "plan#1")
    assert flow.last(1_000)[:3] == [
        "flow deploy-42: error, 1.0 s",
        "✗ network    1.0 s  error, 1 step, 1 failed",
        "  ✗ plan#1   1.0 s  error: exit-status: exit status 3",
    ]
    assert flow.last(1_000, lines=7)[3:] == [
        "- checks           discarded, 3 steps",
        "- publish          discarded, 2 steps",
    ]


def test_a_resumed_flow_counts_from_the_resumption() -> None:
    """What ended before the run has no time; what is taken up again begins now."""
    before = in_checks().state
    flow = Watched(DEPLOY)
    flow.state, flow.times = before, Times()
    flow.frames = Frames(flow.times, Charset("utf-8"))
    flow.times.resumed(before, 500_000)
    assert flow.moving(501_000)[:5] == [
        "flow deploy-42: in-progress, 1.0 s",
        "✓ network           1 step",
        "● checks     1.0 s  1 of 3 steps finished, 1 failed, 1 retry",
        "  ● lint#1   1.0 s  runs, times out in 0 s, Look at the style",
        "  ✗ unit#1          error: exit-status: exit status 3",
    ]


def test_of_a_thousand_steps_what_failed_waits_and_runs_comes_first() -> None:
    """None of these hides another, and the rest is counted."""
    steps = tuple(
        StepSpec(key=f"s{n}", retry=RETRIED if n == 7 else RetryPolicy(), skip_on_failure=True)
        for n in range(1_000)
    )
    group = GroupSpec(key="many", parallel=True, max_parallel=100, steps=steps)
    flow = Watched(FlowSpec(groups=(group,)))
    for n in range(200):
        (flow.failed if n % 50 == 7 else flow.succeeded)(1_000, f"s{n}#1")
    assert flow.moving(1_000, lines=12) == [
        "flow deploy-42: in-progress, 1.0 s",
        "● many      1.0 s  199 of 1,000 steps finished, 3 failed, 1 retry",
        "  ✗ s57#1   1.0 s  error: exit-status: exit status 3",
        "  ✗ s107#1  0.0 s  error: exit-status: exit status 3",
        "  ↻ s7#2           waits, retries in 3 s",
        "  ● s200#1  0.0 s  queued",
        "  … 1 failed, 99 running, 196 done, 700 pending",
    ]


def test_of_many_groups_those_around_the_current_one_are_shown() -> None:
    """The others are counted before and after it."""
    groups = tuple(GroupSpec(key=f"g{n}", steps=(StepSpec(key=f"s{n}"),)) for n in range(1_000))
    flow = Watched(FlowSpec(groups=groups))
    for n in range(500):
        flow.succeeded(n, f"s{n}#1")
    assert flow.moving(500, lines=13) == [
        "flow deploy-42: in-progress, 0.5 s",
        "… 498 groups before",
        "✓ g498      0.0 s  1 step",
        "✓ g499      0.0 s  1 step",
        "● g500      0.0 s  0 of 1 step finished",
        "  ● s500#1  0.0 s  queued",
        "· g501             1 step",
        "… 498 groups after",
    ]


def test_names_and_messages_are_escaped_and_are_no_markup() -> None:
    """Nothing that somebody else wrote reaches the terminal as a control character."""
    step = StepSpec(key="a", name="\x1b[2J[red]a[/red]\n:smile:", skip_on_failure=True)
    group = GroupSpec(key="g", name="日本\u202e語", steps=(step, StepSpec(key="b")))
    flow = Watched(FlowSpec(groups=(group,)))
    flow.feed(
        events.StepFinished(
            at_ms=0, attempt="a#1", outcome="failed", error=StepError(message="[bold]\r\x07")
        )
    )
    assert flow.moving(0)[1:3] == [
        "● g      0.0 s  1 of 2 steps finished, 1 failed, 日本\\u202e語",
        "  ✗ a#1  0.0 s  error: Error: [bold]\\r\\x07, \\x1b[2J[red]a[/red]\\n:smile:",
    ]


def test_of_an_id_that_is_too_long_the_number_is_kept() -> None:
    """Attempts of one step are told apart."""
    group = GroupSpec(key="g" * 64, steps=(StepSpec(key="s" * 64, retry=RETRIED),))
    flow = Watched(FlowSpec(groups=(group,)))
    flow.failed(0, "s" * 64 + "#1")
    assert [line[:17] for line in flow.moving(0, columns=40)[1:]] == [
        f"● {'g' * 14}…",
        f"  ✗ {'s' * 10}…#1",
        f"  ↻ {'s' * 10}…#2",
    ]


@pytest.mark.parametrize(
    ("sizes", "room", "given_out"),
    [
        ([3, 0, 5], 0, [0, 0, 0]),
        ([3, 0, 5], 3, [2, 0, 1]),
        ([1, 0, 5], 4, [1, 0, 3]),
        ([1, 0, 1], 9, [1, 0, 1]),
    ],
)
def test_room_is_given_out_in_turn(sizes: list[int], room: int, given_out: list[int]) -> None:
    """A kind that needs less leaves its room to the others."""
    assert shares(sizes, room) == given_out


@settings(max_examples=50, deadline=None)
@given(play=plays(), columns=st.integers(1, 100), lines=st.integers(1, 50))
def test_every_frame_of_every_flow_fits(play: Play, columns: int, lines: int) -> None:
    """No line is as wide as the terminal, no moving frame higher than two thirds of it."""
    times = Times()
    frames = Frames(times, Charset("utf-8"))
    state: FlowState = play.start
    now_ms = 0
    for event, transition in zip(play.events, play.transitions, strict=True):
        times.happened(event, transition)
        state, now_ms = transition.state, event.at_ms
        for line in frames.moving(state, now_ms, columns, lines):
            assert line.cell_len <= max(columns - 1, 1), json.dumps(line.plain)
        assert len(frames.moving(state, now_ms, columns, lines)) <= max(lines - lines // 3 - 1, 1)
    draw = partial(frames.last, state, now_ms, columns, lines)
    assert 1 <= len(draw()) <= max(lines - 1, 1)
    assert all(line.cell_len <= max(columns - 1, 1) for line in draw())
