"""The wire form of a state: what cannot be derived, and all of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import attrs
import pytest

from conductor_core import FlowOptions, FlowSpec, FlowState, GroupSpec, StepSpec, events, reduce
from conductor_core.codec import decode_state, encode_state, loads
from conductor_core.errors import FormatError
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.payload import canonical_text
from conductor_core.spec import ApprovalSpec, RetryPolicy
from conductor_core.state import initial_state
from conductor_core.statecodec import Stored
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    succeeded,
)

PLAN = StepSpec(key="plan", approval=ApprovalSpec(required=2, timeout_ms=1000))
RETRIED = StepSpec(
    key="apply",
    retry=RetryPolicy(max_auto_retries=1, backoff_ms=(500,), jitter=False),
    timeout_ms=50,
    needs=("plan",),
)
MORE = (GroupSpec(key="more", steps=(StepSpec(key="x"), StepSpec(key="y"))),)
AWAIT_RETRY = FlowOptions(on_failure="await-retry", continue_as_new_every=1)
STORIES: dict[str, tuple[FlowSpec, tuple[Event, ...]]] = {
    "approval, retry, append, pause, continue as new": (
        flow(group("g1", PLAN, RETRIED), group("g2", "api", "web"), options=AWAIT_RETRY),
        (
            START,
            succeeded(
                "plan#1",
                output={"n": 1},
                subject="v1",
                policy=PolicyReport(warn_violations=("w",), evaluated=False),
            ),
            answered("plan", by="ann"),
            answered("plan", by="bo"),
            failed("apply#1", error=StepError(message="no", cause=StepError(message="why"))),
            fired("backoff:apply#2", at_ms=500),
            events.StepStarted(at_ms=501, attempt="apply#2"),
            events.AppendRequested(at_ms=502, by="ann", groups=MORE, request_id="r1"),
            events.PauseRequested(at_ms=503, by="ann", request_id="r2"),
            succeeded("apply#2", noop=False, at_ms=504),
            events.ContinuedAsNew(at_ms=505, incarnation=0),
            events.ResumeRequested(at_ms=506, by="ann"),
            failed("api#1", at_ms=507),
            retried("api", at_ms=508),
        ),
    ),
    "group retry with a backoff, cancelled": (
        flow(
            group(
                "g",
                StepSpec(
                    key="a",
                    retry=RetryPolicy(
                        max_auto_retries=2, scope="group", backoff_ms=(5,), jitter=False
                    ),
                ),
                "b",
                parallel=True,
            ),
            group("h", "c"),
        ),
        (
            START,
            failed("a#1"),
            succeeded("b#1"),
            fired("backoff:g@1", at_ms=5),
            cancelled(reason="late", at_ms=6),
            fired("cancel", at_ms=40_000),
        ),
    ),
    "a group that does without the rest": (
        flow(group("g", "a", "b", parallel=True)),
        (START, succeeded("a#1", directive="skip-group")),
    ),
    "generated, stopped, rerun": (
        FlowSpec(type="made", options=FlowOptions(continue_as_new_every=3)),
        (
            START,
            events.GroupsGenerated(at_ms=1, groups=MORE, complete=False),
            events.ApprovalOptionChanged(at_ms=2, option="approve-all", by="ann"),
            failed("x#1"),
            retried("x"),
            events.ContinueAsNewSuggested(at_ms=3, incarnation=0),
            succeeded("x#2", at_ms=4),
            events.ContinuedAsNew(at_ms=5, incarnation=0),
            succeeded("y#1", at_ms=6),
            events.AppendRequested(at_ms=7, by="ann", groups=(group("later", "z"),)),
        ),
    ),
}


def states() -> Iterator[FlowState]:
    """Every state of every story."""
    for spec, story in STORIES.values():
        state = initial_state(spec, "flow")
        yield state
        for event in story:
            transition = reduce(state, event)
            assert str(transition.verdict) == "accepted", event
            state = transition.state
            yield state


def test_every_state_survives() -> None:
    """A state that is written and read is the same: equal, of one hash, of the same bytes."""
    for state in states():
        text = canonical_text(encode_state(state))
        restored = decode_state(loads(text))
        assert restored == state
        assert hash(restored) == hash(state)
        assert canonical_text(encode_state(restored)) == text
        assert restored.timers() == state.timers()


def test_a_restored_state_goes_on_alike() -> None:
    """From a restored state the same events lead to the same states and commands (law 12)."""
    for spec, story in STORIES.values():
        state = initial_state(spec, "flow")
        for event in story:
            expected = reduce(state, event)
            assert reduce(decode_state(encode_state(state)), event) == expected
            state = expected.state


def test_the_stories_show_every_field() -> None:
    """Every field of the wire form differs from its default in some state of the stories."""
    shown = {key for state in states() for key in encode_state(state)}
    assert shown == set(attrs.fields_dict(Stored))


def test_every_field_of_a_state_is_written_or_derived() -> None:
    """A new field of a state has to take its place here."""
    derived = {"catalog", "live", "superseded", "place", "span", "pending"}
    derived |= {"active", "waiting", "awaiting", "parked"}
    written = set(attrs.fields_dict(Stored)) - {"groups", "attempts"}
    aside = {"_now_ms", "_commands"}
    assert written | derived | aside == set(attrs.fields_dict(FlowState))
    assert not written & derived


def test_a_state_has_its_golden_form() -> None:
    """A state is written as it always was."""
    story = given(flow(group("g", "a", "b")), START, succeeded("a#1", output=[1.0]), failed("b#1"))
    assert canonical_text(encode_state(story.state)) == (
        '{"attempts":[{"directive":"continue","dispatched":true,"result":{"output":[1.0]},'
        '"status":"success","step":"a"},{"directive":"stop","dispatched":true,"reason":"failed",'
        '"result":{},"status":"error","step":"b"}],"finished_at_ms":0,"flow_id":"flow",'
        '"generating":"complete","outcome":{"message":"Step failed","reason":"failed",'
        '"status":"error","step":"b#1"},"spec":{"groups":[{"key":"g","steps":[{"key":"a"},'
        '{"key":"b"}]}]},"started":true,"stop":{"message":"Step failed","reason":"failed",'
        '"status":"error","step":"b#1"}}'
    )


# --- what is refused ---

STATE = given(flow(group("g", "a", "b")), START, failed("a#1"), retried("a")).state
DATA = encode_state(STATE)


def changed(*keys: Any, to: Any) -> dict[str, Any]:
    """The wire form of a state with one value changed."""
    data = copy.deepcopy(DATA)
    node: Any = data
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = to
    return data


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "expected a mapping, got []"),
        ({}, "missing key 'flow_id'; missing key 'spec'"),
        (changed("flow_id", to="a b"), "flow_id: 'a b' does not match"),
        (changed("started", to=1), "started: expected true or false, got 1"),
        (changed("generating", to="maybe"), "generating: expected one of no, running"),
        (changed("active", to=1), "active: unknown key 'active', expected one of flow_id, spec"),
        (changed("spec", "groups", 0, "key", to=""), "spec.groups[0].key: '' does not match"),
        (changed("groups", to=[{"key": "h"}]), "groups[0].steps: expected at least one step"),
        (
            changed("groups", to=[{"key": "g", "steps": [{"key": "c"}]}]),
            "groups: 'g' is used twice",
        ),
        (
            changed("groups", to=[{"key": "h", "steps": [{"key": "a"}]}]),
            "groups: 'a' is used twice",
        ),
        (changed("attempts", to=[]), "attempts: step 'a' has none"),
        (changed("attempts", 0, "step", to="z"), "attempts[0].step: 'z' is no step"),
        (changed("attempts", 1, "n", to=3), "attempts[1].n: expected 2, got 3"),
        (changed("attempts", 0, "n", to=2), "attempts[0].n: expected 1, got 2"),
        (
            changed("attempts", 0, "status", to="done"),
            "attempts[0].status: expected one of pending, waiting-to-retry",
        ),
        (changed("current", to=2), "current: there is no group 2"),
        (changed("current", to=-1), "current: there is no group -1"),
        (changed("retrying", to=2), "retrying: there is no step 2"),
    ],
)
def test_a_malformed_state_is_refused(data: Any, problem: str) -> None:
    """What does not hang together is an error with its place."""
    with pytest.raises(FormatError) as caught:
        decode_state(data)
    assert str(caught.value).startswith(problem)


def test_a_state_may_stand_in_a_larger_document() -> None:
    """Its errors are then placed in that."""
    with pytest.raises(FormatError, match=r"^states\[3\]: expected a mapping"):
        decode_state(7, "states[3]")


WAITING: Final = StepSpec(key="a", approval=ApprovalSpec())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"current": 1}, "attempts: 'a#1' is under way outside the current group"),
        ({"current": 1, "wait_due_at_ms": 5}, "wait_due_at_ms: no group is left that could wait"),
        ({"started": False}, "attempts: 'a#1' waits in a group that does not"),
        ({"stop": {"status": "error"}}, "attempts: 'a#1' waits in a group that does not"),
        (
            {"attempts": [{"step": "a", "status": "approval-awaiting"}]},
            "attempts: 'a#1' awaits an approval of nothing",
        ),
    ],
)
def test_a_state_that_no_run_leads_to_is_refused(change: dict[str, Any], problem: str) -> None:
    """What hangs together is checked, so that the reducer can rely on it."""
    state = given(flow(group("g", WAITING)), START, succeeded("a#1")).state
    with pytest.raises(FormatError) as refused:
        decode_state({**encode_state(state), **change})
    assert problem in str(refused.value)
