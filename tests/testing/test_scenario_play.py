"""The scripted world plays a scenario as the format says, and tells what is not true."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core import codec
from conductor_core.errors import FormatError
from conductor_core.testing import scenario_play, scenario_world
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario, play_world

LATE = {"append": [{"key": "h", "steps": [{"key": "c"}]}], "expect": {"rejected": "flow-finished"}}
AUTO = {"retry": {"max_auto_retries": 3, "backoff_ms": []}}
WAITING = {"retry": {"max_auto_retries": 3, "backoff_ms": [1000], "jitter": False}}


def group(key: str, *steps: str | dict[str, Any], **options: Any) -> dict[str, Any]:
    """A group; a plain step is given by its key alone."""
    listed = [{"key": step} if isinstance(step, str) else step for step in steps]
    return {"key": key, "steps": listed, **options}


def differences(*groups: dict[str, Any], **parts: Any) -> list[str]:
    """Play a scenario and tell the differences."""
    flow = {"groups": list(groups), "options": parts.pop("options", {})}
    scenario = {"name": "s", "flow": flow, **parts}
    file = {"format": "conductor-scenario/1", "scenarios": [scenario]}
    (decoded,) = decode_scenarios(file)
    return [str(difference) for difference in play_scenario(decoded)]


def test_a_scenario_is_played_in_any_world_of_its_own() -> None:
    """Who brings the world sees what became of it, beside the differences."""
    scenario = {"name": "s", "flow": {"groups": [group("g", "a")]}, "expect": {"flow": "error"}}
    file = {"format": "conductor-scenario/1", "scenarios": [scenario]}
    world = scenario_world.World(*decode_scenarios(file))
    assert list(map(str, play_world(world))) == ['expect.flow: expected "error", got "success"']
    assert world.state.status == "success"


# --- work ---


def test_work_succeeds_unless_a_script_says_otherwise() -> None:
    """Without an entry, or with an empty list of them, every attempt succeeds."""
    assert not differences(group("g", "a", "b"), work={"b": []}, expect={"flow": "success"})


def test_each_dispatch_takes_the_next_entry() -> None:
    """Entries are taken in turn by the dispatches of their step, whatever caused them."""
    assert not differences(
        group("g", {"key": "a", **AUTO}, "b"),
        work={"a": ["fail", "fail", "ok"], "b": [{"directive": "retry-group"}, "ok"]},
        do=[{"advance": 30_000}],
        expect={"flow": "success", "dispatched": ["a#1", "a#2", "a#3", "b#1", "a#4", "b#2"]},
    )


def test_the_last_entry_repeats() -> None:
    """A step that runs out of entries returns the last one again."""
    assert not differences(
        group("g", {"key": "a", **AUTO}),
        work={"a": ["fail"]},
        expect={"flow": "error", "attempts": {"a": 4}},
    )


def test_attempts_that_never_ran_take_no_entry() -> None:
    """The first dispatch of a step takes its first entry, whatever its number."""
    assert not differences(
        group("g", {"key": "a", "retry": {"backoff_ms": []}}, "b"),
        work={"a": [{"directive": "retry-group"}, "ok"], "b": ["hold", "fail"]},
        expect={
            "steps": {"b#1": "discarded", "b#2": "queued"},
            "dispatched": ["a#1", "a#2", "b#2"],
        },
    )


def test_the_attempt_that_was_dispatched_first_finishes_first() -> None:
    """Attempts finish one by one in the order of their dispatch."""
    failing = {"a": ["hold", "fail"], "b": ["fail"], "c": ["fail"]}
    steps = group("g", "a", "b", "c", parallel=True)
    assert not differences(
        steps, work=failing, do=[{"finish": {"attempt": "a#1"}}], expect={"step": "b#1"}
    )
    assert not differences(
        group("g", {"key": "a", **AUTO}, {"key": "b", "retryable": False}, parallel=True),
        work={"a": ["fail"], "b": ["fail"]},
        expect={"step": "b#1", "dispatched": ["a#1", "b#1", "a#2"]},
    )


def test_a_failure_says_which_step_failed() -> None:
    """`fail` is an error of type Error with the message `<step> failed`."""
    (scenario,) = decode_scenarios(
        {
            "format": "conductor-scenario/1",
            "scenarios": [
                {"name": "s", "flow": {"groups": [group("g", "a")]}, "work": {"a": ["fail"]}}
            ],
        }
    )
    (script,) = scenario.work
    (entry,) = script.entries
    assert entry is not None
    assert entry.outcome == "failed"
    assert entry.error is not None
    assert (entry.error.message, entry.error.type) == ("a failed", "Error")


def test_work_may_be_cancelled_from_outside() -> None:
    """`cancelled` ends an attempt that nobody asked to cancel."""
    assert not differences(
        group("g", "a"),
        work={"a": ["cancelled"]},
        expect={"reason": "cancelled-externally", "steps": {"a#1": "cancelled"}},
    )


def test_a_held_attempt_stays_active_until_it_is_finished() -> None:
    """Neither time nor other actions finish held work."""
    assert not differences(
        group("g", "a"),
        work={"a": ["hold"]},
        do=[
            {"started": "a#1", "check": {"steps": {"a#1": "in-progress"}}},
            {"advance": 10_000_000, "check": {"flow": "in-progress"}},
            {"finish": {"attempt": "a#1"}, "check": {"flow": "success"}},
            {"finish": {"attempt": "a#1"}, "expect": {"ignored": "stale-attempt"}},
        ],
    )


# --- cancellation ---


def test_held_attempts_acknowledge_their_cancellation_at_once() -> None:
    """When cancel-futures names held attempts they end as cancelled, in its order."""
    assert not differences(
        group("g", "a", "b", parallel=True),
        work={"a": ["hold"], "b": ["hold"]},
        do=[{"cancel": {}, "check": {"flow": "cancelled", "timers": []}}],
        expect={"steps": {"a#1": "cancelled", "b#1": "cancelled"}, "message": None, "step": None},
    )


def test_steps_that_ignore_a_cancellation_stay_active() -> None:
    """What stands in `ignores_cancel` does not acknowledge."""
    assert not differences(
        group("g", "a", "b", parallel=True),
        work={"a": ["hold"], "b": ["hold"]},
        ignores_cancel=["b"],
        do=[{"cancel": {}, "check": {"steps": {"a#1": "cancelled", "b#1": "queued"}}}],
        expect={"flow": "cancelling", "timers": ["cancel"]},
    )


def test_work_that_is_not_held_answers_a_cancellation_with_its_own_outcome() -> None:
    """An attempt that is about to finish finishes as it would have."""
    assert not differences(
        group("g", "a", "b", "c", parallel=True, fail_fast=True),
        work={"a": ["fail"], "b": ["ok"], "c": ["hold"]},
        expect={
            "flow": "error",
            "steps": {"a#1": "error", "b#1": "success", "c#1": "cancelled"},
            "commands": {"cancel-futures": 1},
        },
    )


# --- generation ---


def test_without_an_answer_generation_stays_open() -> None:
    """A flow without groups waits for a `generated` action."""
    assert not differences(
        do=[
            {"advance": 1, "check": {"flow": "in-progress", "commands": {"generate-steps": 1}}},
            {"generated": {"groups": [group("g", "a")], "complete": False}},
            {"generated": {"groups": [], "complete": True}},
        ],
        expect={"flow": "success", "groups": {"g": "success"}},
    )


def test_generation_is_answered_at_once() -> None:
    """`generate` gives all the groups, some of them, or the reason why there are none."""
    groups = [group("g", "a")]
    assert not differences(generate=groups, expect={"flow": "success", "dispatched": ["a#1"]})
    assert not differences(generate={"partial": groups}, expect={"flow": "in-progress"})
    assert not differences(generate={"fail": "no"}, expect={"reason": "generation-failed"})
    assert not differences(
        do=[{"generation-failed": "no"}], expect={"flow": "error", "reason": "generation-failed"}
    )


# --- time ---


def test_timers_fire_only_while_time_advances() -> None:
    """What is due fires when time moves on, also by nothing at all."""
    assert not differences(
        group("g", {"key": "p", "approval": {"timeout_ms": 0}}),
        do=[
            {"pause": {}, "check": {"timers": ["approval:p#1"]}},
            {"advance": 0, "check": {"timers": []}},
        ],
        expect={"reason": "approval-expired"},
    )


def test_timers_fire_at_their_own_time() -> None:
    """A wait that begins when a timer fires is counted from then, not from the end."""
    again = group("g", {"key": "a", **WAITING})
    assert not differences(
        again,
        work={"a": ["fail"]},
        do=[{"advance": 2_999, "check": {"attempts": {"a": 4}, "timers": ["backoff:a#4"]}}],
        expect={"dispatched": ["a#1", "a#2", "a#3"]},
    )
    assert not differences(
        again,
        work={"a": ["fail", "fail", "fail", "ok"]},
        do=[{"advance": 3_000}],
        expect={"flow": "success"},
    )


def test_timers_that_are_due_together_fire_in_the_order_of_their_ids() -> None:
    """Earlier timers come first, whatever they are called; ties are broken by the id."""

    def step(key: str, timeout_ms: int) -> dict[str, Any]:
        return {"key": key, "timeout_ms": timeout_ms}

    held = {"work": {"a": ["hold"], "b": ["hold"]}, "do": [{"advance": 50}]}
    tied = group("g", step("b", 9), step("a", 9), parallel=True)
    assert not differences(tied, **held, expect={"step": "a#1"})
    ordered = group("g", step("b", 8), step("a", 9), parallel=True)
    assert not differences(ordered, **held, expect={"step": "b#1"})


def test_the_world_plays_until_quiet_after_each_timer() -> None:
    """Work that a timer releases is done before the next timer fires."""
    assert not differences(
        group("g", {"key": "a", **WAITING}, {"key": "b", "timeout_ms": 1_000}, parallel=True),
        group("h", "c"),
        work={"a": ["fail", {"directive": "stop"}], "b": ["hold"]},
        do=[{"advance": 1_000}],
        expect={"step": "a#2", "steps": {"a#2": "success", "b#1": "error"}},
    )


def test_a_timer_that_was_cancelled_does_not_fire() -> None:
    """The world forgets a timer when it is told to; an action may fire it all the same."""
    assert not differences(
        group("g", {"key": "p", "approval": {"timeout_ms": 10}}, "a"),
        work={"a": ["hold"]},
        do=[
            {"approve": "p"},
            {"timer": "approval:p#1", "expect": {"ignored": "stale-timer"}},
            {"advance": 10},
        ],
        expect={"flow": "in-progress"},
    )


def test_a_timer_may_fire_by_an_action() -> None:
    """`timer` fires a timer now, and it does not fire again when it is due."""
    assert not differences(
        group("g", {"key": "a", **WAITING}),
        work={"a": ["fail", "hold"]},
        do=[{"timer": "backoff:a#2"}, {"advance": 1_000}],
        expect={"steps": {"a#2": "queued"}},
    )


# --- start and continue-as-new ---


def test_the_flow_starts_by_itself_unless_the_first_action_says_no() -> None:
    """`start: no` leaves the flow pending, and `start: yes` starts it, once."""
    assert not differences(group("g", "a"), expect={"flow": "success"})
    assert not differences(
        group("g", "a"),
        do=[
            {"start": "no", "check": {"flow": "pending", "dispatched": []}},
            {"start": "yes", "check": {"flow": "success"}},
            {"start": "yes", "expect": {"ignored": "already-started"}},
        ],
    )


def test_continue_as_new_is_answered_unless_it_is_held() -> None:
    """The world answers the command itself, or leaves it to an action."""
    groups = (group("g", "a"), group("h", "b"))
    every = {"continue_as_new_every": 1}
    assert not differences(
        *groups, options=every, expect={"flow": "success", "commands": {"continue-as-new": 1}}
    )
    assert not differences(
        *groups,
        options=every,
        hold_continue_as_new=True,
        do=[
            {"pause": {}, "check": {"flow": "in-progress", "dispatched": ["a#1"]}},
            {"resume": {}},
            {"continue-as-new": "continued"},
        ],
        expect={"flow": "success"},
    )


def test_a_fact_about_continue_as_new_is_for_this_incarnation_unless_it_names_another() -> None:
    """The world fills the incarnation in; a given one may be stale."""
    assert not differences(
        group("g", "a", "b"),
        work={"a": ["hold"], "b": ["hold"]},
        do=[
            {"continue-as-new": "suggest"},
            {"finish": {"attempt": "a#1"}},
            {
                "continue-as-new": {"fact": "suggest", "incarnation": 0},
                "expect": {"ignored": "stale-incarnation"},
            },
            {"continue-as-new": {"fact": "suggest", "incarnation": 1}},
            {"continue-as-new": {"fact": "suggest"}, "expect": {"ignored": "no-change"}},
            {"continue-as-new": "continued", "expect": {"ignored": "no-change"}},
        ],
    )


# --- snapshots ---


def test_a_snapshot_goes_on_with_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is encoded and decoded, and what was decoded runs on."""
    decode, decoded = codec.decode_state, []

    def remember(data: Any) -> Any:
        decoded.append(decode(data))
        return decoded[-1]

    monkeypatch.setattr(codec, "decode_state", remember)
    do = [{"snapshot": {}}, {"approve": "p"}]
    expect = {"flow": "success"}
    assert not differences(group("g", {"key": "p", "approval": True}), do=do, expect=expect)
    assert len(decoded) == 1


def test_a_copy_that_is_not_equal_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that loses something fails the scenario."""
    monkeypatch.setattr(scenario_world.World, "copy_state", lambda _: False)
    assert differences(group("g", "a"), do=[{"snapshot": {}}]) == [
        'do[0].snapshot: expected "an equal copy of the state", got "another state"'
    ]


def test_a_state_that_cannot_be_written_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that the codec refuses fails the scenario and no other."""

    def refuse(_: object) -> Any:
        raise FormatError("live[0]", "too large")

    monkeypatch.setattr(codec, "encode_state", refuse)
    (difference,) = differences(group("g", "a"), do=[{"snapshot": {}}])
    assert difference.endswith('got "live[0]: too large"')


# --- differences ---


@pytest.mark.parametrize(
    ("claim", "where", "expected", "got"),
    [
        ({"flow": "error"}, "flow", '"error"', '"success"'),
        ({"reason": "failed"}, "reason", '"failed"', "null"),
        ({"step": "a#1"}, "step", '"a#1"', "null"),
        ({"message": "no"}, "message", '"no"', "null"),
        ({"retries_exhausted": True}, "retries_exhausted", "true", "false"),
        ({"steps": {"a#1": "error"}}, "steps['a#1']", '"error"', '"success"'),
        ({"steps": {"a#2": "error"}}, "steps['a#2']", '"error"', '"no such attempt"'),
        ({"directives": {"a#1": None}}, "directives['a#1']", "null", '"continue"'),
        ({"directives": {"c#1": None}}, "directives['c#1']", "null", '"no such attempt"'),
        ({"groups": {"g": "error"}}, "groups.g", '"error"', '"success"'),
        ({"groups": {"h": "error"}}, "groups.h", '"error"', '"no such group"'),
        ({"dispatched": ["b#1"]}, "dispatched", '["b#1"]', '["a#1","b#1"]'),
        ({"attempts": {"a": 2, "b": 1}}, "attempts.a", "2", "1"),
        ({"timers": ["cancel"]}, "timers", '["cancel"]', "[]"),
        ({"approvals": ["a#1"]}, "approvals", '["a#1"]', "[]"),
        ({"commands": {"dispatch-step": 0}}, "commands.dispatch-step", "0", "2"),
        ({"absent": ["a#2", "a#1"]}, "absent['a#1']", "null", '"success"'),
        ({"inputs": {"b#1": {"a": 1.0}}}, "inputs['b#1']", '{"a":1.0}', '{"a":1}'),
        ({"inputs": {"b#1": {"c": 1}}}, "inputs['b#1']", '{"c":1}', "{}"),
        ({"inputs": {"b#2": {}}}, "inputs['b#2']", "{}", '"not dispatched"'),
    ],
)
def test_a_claim_that_is_not_true_is_a_difference(
    claim: dict[str, Any], where: str, expected: str, got: str
) -> None:
    """Expected and got are told with their place, alike in the end and in between."""
    flow = group("g", "a", {"key": "b", "needs": ["a"]})
    work = {"a": [{"output": 1}]}
    told = f"{where}: expected {expected}, got {got}"
    assert differences(flow, work=work, do=[LATE], expect=claim) == [f"expect.{told}"]
    do = [{**LATE, "check": claim}]
    assert differences(flow, work=work, do=do) == [f"do[0].check.{told}"]


def test_claims_that_are_true_make_no_difference() -> None:
    """Only what is given is tested, and null says that there is nothing."""
    assert not differences(
        group("g", "a", {"key": "b", "needs": ["a"]}),
        work={"a": [{"output": 1}], "b": ["hold"]},
        do=[{"retry": "c", "expect": {"rejected": "unknown-step"}}],
        expect={
            "reason": None,
            "step": None,
            "message": None,
            "directives": {"b#1": None},
            "absent": ["a#2", "c#1"],
            "attempts": {"c": 0},
            "inputs": {"a#1": {}, "b#1": {"a": 1}},
        },
    )


def test_timers_and_approvals_are_claimed_in_any_order() -> None:
    """The order of a list that has no order of its own says nothing."""
    plans = [{"key": key, "approval": {"timeout_ms": 10}} for key in ("q", "p")]
    assert not differences(
        group("g", *plans, parallel=True),
        expect={"timers": ["approval:q#1", "approval:p#1"], "approvals": ["q#1", "p#1"]},
    )


def test_another_verdict_is_a_difference() -> None:
    """An action is accepted unless it says otherwise."""
    assert differences(group("g", "a"), do=[{"pause": {}}]) == [
        'do[0].expect: expected "accepted", got "rejected(flow-finished)"'
    ]
    held = {"work": {"a": ["hold"]}}
    assert differences(group("g", "a"), **held, do=[{"pause": {}, "expect": {"ignored": "x"}}]) == [
        'do[0].expect: expected "ignored(x)", got "accepted"'
    ]


def test_all_differences_are_told() -> None:
    """A difference does not hide the next."""
    told = differences(
        group("g", "a"),
        do=[{"pause": {}, "check": {"flow": "paused"}}, {"retry": "a"}],
        expect={"flow": "error"},
    )
    places = [difference.partition(":")[0] for difference in told]
    assert places == ["do[0].expect", "do[0].check.flow", "do[1].expect", "expect.flow"]


def test_a_world_that_never_comes_to_rest_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario is played up to a number of events that no sane one needs."""
    monkeypatch.setattr(scenario_world, "MOST_EVENTS", 50)
    monkeypatch.setattr(scenario_play, "MOST_EVENTS", 50)
    retry = {"max_retries": 10**9, "max_auto_retries": 10**9, "backoff_ms": []}
    restless = {"key": "a", "retry": retry}
    end = 'expected "a quiet flow", got "more than 50 events"'
    work = {"a": ["fail"]}
    assert differences(group("g", restless), work=work, expect={"flow": "error"}) == [f"do: {end}"]
    do = [{"pause": {}, "expect": {"rejected": "not-started"}}, {"start": "yes"}]
    assert differences(group("g", restless), work=work, do=[{"start": "no"}, *do]) == [
        f"do[2]: {end}"
    ]
