"""What a result says: always with its bounds."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from conductor_core import ApprovalSpec, StepSpec
from conductor_core.checking import (
    THEOREMS,
    Alphabet,
    Checked,
    check,
    default_alphabet,
    directed,
    gate,
    never,
)
from conductor_core.checking.alphabet import DENIED, NOOP, PASSED, UNEVALUATED
from conductor_core.checking.properties import Invariant
from conductor_core.checking.reductions import ALL, NONE, ONLY_NAMES
from conductor_core.codec import encode_spec
from conductor_core.digest import digest_of
from conductor_core.payload import canonical_text
from conductor_core.testing.brief import flow, group
from tests.checking.flows import DEPLOY, plan

CHECKED: Final = check(DEPLOY)


def test_a_certificate_is_data_with_its_bounds() -> None:
    """A certificate names the flow, the bounds, the alphabet, the size and every theorem."""
    data = json.loads(json.dumps(CHECKED.certificate()))
    assert data["flow"] == digest_of(canonical_text(encode_spec(DEPLOY)))
    assert data["within"] == {
        "alphabet": default_alphabet(DEPLOY).as_data(),
        "max_states": 1_000_000,
    }
    assert (data["states"], data["transitions"], data["complete"]) == (215, 821, True)
    assert [theorem["name"] for theorem in data["theorems"]] == [t.name for t in THEOREMS]
    assert {theorem["within_bounds"] for theorem in data["theorems"]} == {"holds"}
    assert "error: denied" in data["outcomes"]
    assert "success" in data["outcomes"]
    assert "proved" not in json.dumps(data)


def test_a_result_reads_as_its_bounds_and_its_findings() -> None:
    """What is printed begins with the bounds and ends with what was found."""
    lines = str(CHECKED).splitlines()
    assert lines[0] == "every state within these bounds:"
    assert "  people pause and resume: any number of times" in lines
    assert "215 states, 821 transitions" in lines
    assert lines[-1] == "  the gate: holds"


def test_a_claim_that_looks_anywhere_lets_nothing_be_forgotten() -> None:
    """Unless a claim says what it looks at, only times and names are left out."""
    claim = never("nothing", lambda state: False)
    assert reductions_of(check(DEPLOY, claim)) == ONLY_NAMES
    assert reductions_of(check(DEPLOY, claim, reductions=NONE)) == NONE
    assert reductions_of(CHECKED) == ALL


def reductions_of(checked: Checked) -> object:
    """The reductions that a search used."""
    return checked.reductions


def test_several_claims_may_remember() -> None:
    """What any claim remembers of a step that others rely on is kept."""
    other = Invariant(
        name="another", statement="", about=(), memory=lambda step, attempt: attempt.status
    )
    assert check(DEPLOY, other).states >= CHECKED.states


def test_claims_have_names_of_their_own() -> None:
    """Two claims of one name could not be told apart."""
    with pytest.raises(ValueError, match="the name 'the gate' is taken by another claim"):
        check(DEPLOY, gate())


def test_what_could_hold_only_by_mistake_is_refused() -> None:
    """What is no claim, a step that does not exist, and a bound that allows nothing are told."""
    told = "'typo' is about 'applx', which is no step of the flow (it has plan, apply)"
    with pytest.raises(ValueError, match=re.escape(told)):
        check(DEPLOY, never("typo", lambda _: False, about=["plan", "applx"]))
    with pytest.raises(ValueError, match=re.escape("(it has none)")):
        check(flow(), never("typo", lambda _: False, about=["a"]), alphabet=Alphabet())
    with pytest.raises(ValueError, match="expected a claim such as `never` makes, got 'x'"):
        check(DEPLOY, "x")  # type: ignore[arg-type]
    for bound in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"max_states: expected .* at least 1, got {bound}"):
            check(DEPLOY, max_states=bound)  # type: ignore[arg-type]


def test_steps_that_come_later_may_be_named() -> None:
    """A claim may be about a step that is generated or appended."""
    late = Alphabet(generated=(group("g", "a"),), appended=(group("h", "b"),))
    claim = never("more than two steps", lambda state: len(state.live) > 2, about=["a", "b"])
    assert check(flow(), claim, alphabet=late).finding(claim.name).found == "holds"


def test_an_ending_is_tried_where_it_makes_a_difference() -> None:
    """A no-op concerns steps that skip it, and policies judge what people approve."""
    bare, skipper = StepSpec(key="a"), StepSpec(key="a", skip_if_noop=True)
    asking = plan()
    waved = plan(approval=ApprovalSpec(auto_approve_on_policy_pass=True))
    concerned = {
        ending.name: [ending.concerns(step) for step in (bare, skipper, asking, waved)]
        for ending in (NOOP, DENIED, UNEVALUATED, PASSED, directed("stop"))
    }
    assert concerned == {
        "no-op": [False, True, False, False],
        "policy deny": [False, False, True, True],
        "policy unevaluated": [False, False, True, True],
        "policy pass": [False, False, False, True],
        "ok, stop": [True, True, True, True],
    }


def test_an_alphabet_reads_as_what_may_happen() -> None:
    """An alphabet tells all of its bounds, also what never happens."""
    told = str(Alphabet(stale=False, pauses=False, timers=False, answers=()))
    assert "approvals come too late: no" in told
    assert "people pause and resume: no" in told
    assert "open timers fire: never" in told
    assert "approvals are answered: none" in told
    assert directed("retry", failed=True).name == "fail, retry"
