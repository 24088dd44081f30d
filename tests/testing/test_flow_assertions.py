"""Claims about a flow as assertions of a test, and what they tell when they are not true."""

from __future__ import annotations

import re
from typing import Final

import pytest

from conductor_core import ApprovalSpec, FlowSpec, FlowState, StepSpec, events, initial_state
from conductor_core.checking import Alphabet, always, directed, never
from conductor_core.checking.alphabet import OK
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.testing import BrokenClaim, after, assert_flow, before, flow_is, step
from conductor_core.testing.brief import flow, group
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from tests.checking.flows import DEPLOY, plan

yaml = pytest.importorskip("yaml")

FORGIVING: Final = flow(group("g", plan(skip_on_failure=True), StepSpec(key="apply")))
UNAPPROVED: Final = step("apply").runs & ~step("plan").approved
PATIENT: Final = Alphabet(cancels=False, pauses=False)


def broken_by(spec: FlowSpec, alphabet: Alphabet | None = None) -> BrokenClaim:
    """What is raised when something is applied that nobody approved."""
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(spec, alphabet=alphabet).never(UNAPPROVED)
    return caught.value


def test_claims_that_are_true_stand_in_a_row() -> None:
    """Every kind of claim gives the flow back, so that others may follow."""
    claims = assert_flow(flow(group("g", plan(skippable=False), "apply")), alphabet=PATIENT)
    (
        claims.never(UNAPPROVED)
        .always(~flow_is("cancelled"), ~step("plan").is_("user-skipped"))
        .sometimes(flow_is("success"), step("plan").approved)
        .leads_to(step("apply").runs, flow_is("success", "error"))
        .holds()
    )


def test_a_flow_that_always_ends_does() -> None:
    """What comes in the end in every fair run comes eventually, whether people answer or not."""
    patient = flow(group("g", plan(approval=ApprovalSpec(timeout_ms=5))))
    assert_flow(patient, alphabet=PATIENT).eventually(flow_is("success", "error"))


def test_a_flow_that_may_wait_for_ever_is_no_flow_that_ends() -> None:
    """The story of what never comes leads to where the flow rests."""
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(DEPLOY, alphabet=PATIENT).eventually(flow_is("success", "error"))
    assert caught.value.story is not None
    assert caught.value.story.state.status == "approval-awaiting"


def test_what_is_broken_is_told_in_full() -> None:
    """The message holds the claim, the story, the bounds, and the size of the search."""
    broken = broken_by(FORGIVING)
    told = str(broken)
    assert told.startswith(
        "never: (apply is queued or in-progress) and not (plan is approved): violated\n"
    )
    assert f"every state was looked at: {broken.checked.states} states" in told
    assert "  1. flow started -> dispatch plan#1\n  2. plan#1 failed" in told
    assert "\n  people pause and resume: any number of times" in told
    assert broken.scenario is not None
    assert broken.scenario in told + "\n"


def test_the_story_is_a_log_that_replays_and_a_scenario_that_plays() -> None:
    """What the error holds can be pasted into files as it is."""
    broken = broken_by(FORGIVING)
    assert broken.log is not None
    assert broken.story is not None
    assert replay(broken.log.splitlines(keepends=True)).state == broken.story.state
    (scenario,) = decode_scenarios(yaml.safe_load(broken.scenario or ""))
    assert play_scenario(scenario) == ()


def test_a_story_may_have_no_scenario() -> None:
    """Where virtual time would tell another story there is only a log."""
    approval = ApprovalSpec(timeout_ms=5, stale_after_ms=9)
    spec = flow(group("g", plan(approval=approval)))
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(spec).never(is_stale)
    assert caught.value.scenario is None
    assert caught.value.log is not None
    assert "virtual time cannot tell it" in str(caught.value)
    assert "never: is stale: violated" in str(caught.value)


def is_stale(state: FlowState) -> bool:
    """Whether the plan was made again because it was answered too late."""
    return any(attempt.reason == "stale-plan" for attempt in state.attempts())


def test_what_never_happens_has_no_story() -> None:
    """That something is never met is told without a story."""
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(DEPLOY, alphabet=PATIENT).sometimes(flow_is("cancelled"))
    assert (caught.value.story, caught.value.log, caught.value.scenario) == (None, None, None)
    assert "sometimes: the flow is cancelled: never met" in str(caught.value)


def test_a_search_that_left_states_out_has_shown_nothing() -> None:
    """What nothing was found against in some of the states is an error all the same."""
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(DEPLOY, max_states=5).never(flow_is("success"))
    assert "never: the flow is success: undecided\nstates were left out: only" in str(caught.value)
    assert "allow more than max_states=5, or less in the alphabet" in str(caught.value)


def test_the_theorems_hold_together_with_claims_of_ones_own() -> None:
    """One search serves all; the shortest story is told, and what else is broken is named."""

    def cancels(_before: FlowState, event: Event, _after: Transition) -> bool:
        return isinstance(event, events.CancelRequested)

    ends = always("it ends", lambda state: state.outcome is not None)
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(DEPLOY, alphabet=Alphabet(pauses=False)).holds(
            never("somebody cancels", transition=cancels), ends
        )
    assert str(caught.value).splitlines()[:2] == [
        "always: it ends: violated",
        "never: somebody cancels: violated",
    ]
    assert caught.value.finding.name == "it ends"


def is_unapproved(state: FlowState) -> bool:
    """Whether something is applied that nobody approved."""
    return UNAPPROVED(state)


def test_what_a_claim_may_look_at_decides_what_is_forgotten() -> None:
    """Conditions name their steps; a function may look anywhere, and costs more states."""
    named = broken_by(FORGIVING, PATIENT)
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(FORGIVING, alphabet=PATIENT).never(is_unapproved)
    assert caught.value.finding.name == "is unapproved"
    assert caught.value.checked.states > named.checked.states
    with pytest.raises(BrokenClaim) as caught:
        assert_flow(FORGIVING, alphabet=PATIENT).leads_to(step("plan").runs, lambda _: False)
    assert caught.value.finding.name == "plan is queued or in-progress -> <lambda>"


def test_a_step_that_does_not_exist_is_told() -> None:
    """A claim about a step that can never be there would hold for no reason."""
    told = "is about 'nowhere', which is no step of the flow (it has plan, apply)"
    with pytest.raises(ValueError, match=re.escape(told)):
        assert_flow(DEPLOY).never(step("nowhere").runs)


def test_a_step_that_asks_nobody_is_never_approved() -> None:
    """A claim about an approval that never comes would hold, or not, for no reason."""
    approved = step("apply").approved
    told = re.escape("not (apply is approved): step 'apply' has no approval")
    with pytest.raises(ValueError, match=told):
        assert_flow(DEPLOY).never(~approved)
    for condition in (approved | flow_is("error"), step("plan").runs & before(after(approved))):
        with pytest.raises(ValueError, match="step 'apply' has no approval"):
            assert_flow(DEPLOY).leads_to(flow_is("error"), condition)
    asking = Alphabet(endings=(OK, directed("await-approval")))
    assert_flow(DEPLOY, alphabet=asking).sometimes(step("apply").approved)


def test_an_assertion_that_asserts_nothing_is_refused() -> None:
    """Nothing would be claimed, and it would always be true."""
    claims = assert_flow(DEPLOY)
    for name in ("never", "always", "sometimes", "eventually"):
        with pytest.raises(ValueError, match=f"{name}: expected at least one condition, got none"):
            getattr(claims, name)()


def test_steps_that_are_still_to_be_generated_may_be_named() -> None:
    """A step that does not exist yet is in no status."""
    late = Alphabet(generated=(group("g", "late"),))
    claims = assert_flow(flow(), alphabet=late)
    claims.sometimes(step("late").runs, ~step("late").is_("pending") & flow_is("pending"))


def test_words_that_do_not_exist_are_told() -> None:
    """A status that is misspelt is told at once, and so is `and` between conditions."""
    with pytest.raises(ValueError, match="'sucess' is no status; expected one of pending, wait"):
        step("plan").is_("sucess")
    with pytest.raises(ValueError, match="'queued' is no status; expected one of pending, canc"):
        flow_is("queued")
    with pytest.raises(ValueError, match="'' is no status"):
        flow_is()
    with pytest.raises(TypeError, match="conditions are joined by"):
        bool(step("plan").runs)


def test_conditions_say_what_they_mean() -> None:
    """Conditions in conditions stand in brackets, and name every step once."""
    either = step("a").is_("success") | step("b").is_("error", "success")
    assert str(either & either) == (
        "(a is success or (b is error or success)) and (a is success or (b is error or success))"
    )
    assert (either & ~step("c").approved).about == ("a", "b", "c")


def test_conditions_look_back_on_what_has_held() -> None:
    """Before and after speak of the states on the way, which one state does not tell."""
    untested = step("apply").runs & before(step("plan").approved)
    claims = assert_flow(flow(group("g", plan(skippable=False), "apply")), alphabet=PATIENT)
    claims.never(untested).sometimes(flow_is("success") & after(step("apply").is_("error")))
    with pytest.raises(BrokenClaim, match=r"never: .* and before \(plan is approved\): violated"):
        assert_flow(FORGIVING).never(untested)
    with pytest.raises(TypeError, match="looks back, and one state does not tell"):
        untested(initial_state(FORGIVING, "f"))


def test_functions_without_a_name_are_told_apart() -> None:
    """Several claims in one call may be functions of the same name."""
    assert_flow(DEPLOY).never(lambda state: len(state.live) > 9, lambda state: state.run > 9)
