"""The checks file: what it says of a flow, and what is refused."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve
from jsonschema import Draft202012Validator

from conductor_core import FlowSpec, StepSpec
from conductor_core.checking import Alphabet, Checks, check, decode_checks, default_alphabet
from conductor_core.checking.alphabet import BY_NAME, OK, Ending
from conductor_core.checking.checks_schema import checks_schema
from conductor_core.checking.claims import FORMAT
from conductor_core.checking.reductions import ALL
from conductor_core.errors import FormatError
from conductor_core.events import StepError
from conductor_core.testing.brief import flow, group
from tests.checking.flows import DEPLOY, ONCE, plan

APPLIED: Final = {"step": "apply", "status": ["queued", "in-progress"]}
APPROVED: Final = {"step": "plan", "approved": True}
SKIPPED: Final = {"step": "plan", "status": "user-skipped"}
DENIED: Final = {"step": "plan", "status": "approval-denied"}
OVER: Final = {"flow": ["success", "error", "cancelled"]}
CALM: Final[dict[str, Any]] = {"pauses": False, "cancels": False, "suggestions": 0}
BRISK: Final[dict[str, Any]] = {"cancels": False, "suggestions": 0, "impostors": False}


def checks(*claims: Any, spec: FlowSpec = DEPLOY, **alphabet: Any) -> Checks:
    """What a file with these claims says."""
    data = {"format": FORMAT, "alphabet": alphabet, "claims": list(claims)}
    Draft202012Validator(checks_schema()).validate(data)
    return decode_checks(data, spec=spec)


def found(claim: Any, spec: FlowSpec = DEPLOY, **alphabet: Any) -> str:
    """What becomes of a claim."""
    read = checks(claim, spec=spec, **alphabet)
    checked = check(spec, *read.claims, alphabet=read.alphabet, theorems=())
    assert checked.reductions == ALL
    return checked.findings[0].found


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"always": {"any": [APPROVED, SKIPPED, {"not": APPLIED}]}}, "holds"),
        ({"always": {"any": [APPROVED, {"not": APPLIED}]}}, "violated"),
        ({"never": {**APPLIED, "before": {"any": [APPROVED, SKIPPED]}}}, "holds"),
        ({"never": {**APPLIED, "before": APPROVED}}, "violated"),
        ({"never": {**APPLIED, "after": DENIED}}, "violated"),
        ({"never": {"step": "apply", "approved": False}}, "refused"),
        ({"never": {"step": ["plan", "apply"], "status": "auto-skipped"}}, "holds"),
        ({"never": {"step": "plan", "status": "success", "approved": False}}, "holds"),
        ({"sometimes": {"step": "apply", "status": "in-progress"}}, "met"),
        ({"sometimes": {"all": [{"flow": "error"}, {"reason": "denied"}]}}, "met"),
        ({"sometimes": {"reason": ["approval-expired", "timeout"]}}, "never met"),
        ({"sometimes": {"flow": "success", "reason": "denied"}}, "never met"),
        ({"eventually": OVER}, "violated"),
        ({"leads-to": {"from": DENIED, "to": OVER}}, "holds"),
        ({"leads-to": {"from": APPLIED, "to": {"step": "apply", "status": "success"}}}, "violated"),
    ],
)  # fmt: skip
def test_what_claims_mean(claim: Any, expected: str) -> None:
    """Each kind of claim, and each key of a condition, on the flow of the README."""
    if expected == "refused":
        with pytest.raises(FormatError, match="step 'apply' has no approval"):
            found(claim, **CALM)
    else:
        assert found(claim, **CALM) == expected


def test_before_and_after_are_two_sides_of_one_question() -> None:
    """In every state a condition has held so far, this one included, or it has not."""
    held = {"step": "plan", "status": "success"}
    both = {"all": [{"before": held}, {"after": held}]}
    neither = {"not": {"any": [{"before": held}, {"after": held}]}}
    assert found({"never": {"any": [both, neither]}}, **CALM) == "holds"
    assert found({"always": {"any": [{"not": held}, {"after": held}]}}, **CALM) == "holds"


def test_the_past_outlives_a_retry_and_a_rerun() -> None:
    """What has held once has held for the whole run, whatever is tried again later."""
    again = {"step": "plan", "status": "queued", "after": {"step": "plan", "status": "success"}}
    spec = flow(group("g", plan(), StepSpec(key="apply", retry=evolve(ONCE, scope="group"))))
    assert found({"sometimes": again}, spec, **CALM) == "met"
    assert found({"sometimes": again}, spec, **CALM, endings=["ok"]) == "never met"


def test_what_one_looks_back_on_may_look_back_itself() -> None:
    """A paused flow in which the plan was denied before it was ever paused."""
    order = {"step": "plan", "status": "approval-denied", "before": {"flow": "paused"}}
    claim = {"sometimes": {"step": "plan", "status": "pending", "after": order}}
    assert found(claim, **BRISK) == "met"
    late = {"flow": "paused", "after": {"flow": "paused", "after": {"step": "plan",
            "status": "success"}}}  # fmt: skip
    assert found({"sometimes": late}, **BRISK) == "met"
    assert found({"sometimes": {**late, "before": {"flow": "paused"}}}, **BRISK) == "never met"


def test_a_flow_that_starts_has_a_past() -> None:
    """The beginning itself counts among the states that were before."""
    assert found({"always": {"after": {"flow": "pending"}}}) == "holds"


def test_a_step_that_is_still_to_come() -> None:
    """A step that was not generated yet has no status and is not approved."""
    steps = {"step": "generated-plan"}
    spec = flow()
    assert found({"always": {**steps, "status": "pending"}}, spec, **CALM) == "violated"
    pending = {"flow": "pending", **steps}
    assert found({"sometimes": {**pending, "approved": False}}, spec, **CALM) == "met"
    assert found({"never": {**pending, "approved": True}}, spec, **CALM) == "holds"


def test_a_claim_is_told_by_its_name_and_its_text() -> None:
    """A claim without a name is called what it says; one with a name says it beside."""
    plain, named = checks(
        {"never": {**APPLIED, "before": APPROVED}},
        {"name": "it ends", "leads-to": {"from": {"not": SKIPPED}, "to": OVER}},
    ).claims
    assert plain.name == plain.statement == (
        "never: (apply is queued or in-progress) and before (plan is approved)"
    )  # fmt: skip
    assert named.name == "it ends"
    assert named.statement == (
        "leads to: not (plan is user-skipped) -> the flow is success or error or cancelled"
    )
    assert plain.about == ("apply", "plan")
    assert named.about == ("plan",)
    assert plain.history is not None
    assert named.history is None


def test_an_alphabet_says_only_what_differs() -> None:
    """What a file leaves out is the default of the flow."""
    odd = {"name": "odd", "outcome": "failed", "error": {"message": "odd", "terminal": True}}
    late = [{"key": "late", "steps": [{"key": "z", "approval": True}]}]
    read = checks(endings=["ok", "fail, retry", odd], reruns=2, options=["prompt"], appended=late)
    assert read.alphabet == evolve(
        default_alphabet(DEPLOY),
        endings=(
            OK,
            BY_NAME["fail, retry"],
            Ending(name="odd", outcome="failed", error=StepError(message="odd", terminal=True)),
        ),
        reruns=2,
        options=("prompt",),
        appended=(group("late", plan("z")),),
    )
    assert decode_checks({"format": FORMAT}, spec=DEPLOY) == Checks(
        alphabet=default_alphabet(DEPLOY)
    )
    assert isinstance(read.alphabet, Alphabet)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "expected a mapping, got []"),
        ({}, "missing key 'format'"),
        ({"format": "conductor-checks/2"}, "format: expected the format 'conductor-checks/1'"),
        ({"claim": []}, "claim: unknown key 'claim' (perhaps 'claims'?)"),
        ({"claims": {}}, "claims: expected a list, got {}"),
        ({"claims": [{"nevr": OVER}]}, "claims[0].nevr: unknown key 'nevr' (perhaps 'never'?)"),
        ({"claims": [{"name": "a"}]}, "sometimes, eventually, leads-to, got none"),
        ({"claims": [{"never": OVER, "always": OVER}]}, "got always and never"),
        ({"claims": [{"never": {}}]}, "claims[0].never: expected a condition on step, status"),
        ({"claims": [{"never": {"step": "apply-it", "status": "queued"}}]},
         "claims[0].never.step: unknown step 'apply-it' (perhaps 'apply'?)"),
        ({"claims": [{"never": {"step": "apply", "status": ["queud"]}}]},
         "claims[0].never.status[0]: unknown status 'queud' (perhaps 'queued'?)"),
        ({"claims": [{"never": {"step": "apply", "status": 7}}]}, "unknown status 7, expected"),
        ({"claims": [{"never": {"step": "apply", "status": []}}]}, "expected at least one, got []"),
        ({"claims": [{"never": {"step": ["plan", "plan"], "status": "queued"}}]},
         "claims[0].never.step[1]: 'plan' is given twice"),
        ({"claims": [{"never": {"step": "apply"}}]},
         "missing key 'status' or 'approved': nothing is said of the step"),
        ({"claims": [{"never": {"status": "queued"}}]}, "'status' does not go without 'step'"),
        ({"claims": [{"never": {"approved": True}}]}, "'approved' does not go without 'step'"),
        ({"claims": [{"never": {"flow": "success!"}}]},
         "unknown status 'success!' (perhaps 'success'?)"),
        ({"claims": [{"never": {"reason": "denyed"}}]},
         "unknown reason 'denyed' (perhaps 'denied'?)"),
        ({"claims": [{"never": {"any": []}}]}, "expected at least one condition, got []"),
        ({"claims": [{"never": {"not": {"flow": "x"}}}]},
         "claims[0].never.not.flow: unknown status"),
        ({"claims": [{"leads-to": {"from": OVER}}]}, "claims[0].leads-to: missing key 'to'"),
        ({"claims": [{"name": "the gate", "never": OVER}]}, "taken: it is that of a theorem"),
        ({"claims": [{"never": OVER}, {"never": OVER}]}, "is taken: it is that of claims[0]"),
        ({"alphabet": {"rerun": 1}}, "alphabet.rerun: unknown key 'rerun' (perhaps 'reruns'?)"),
        ({"alphabet": {"reruns": -1}},
         "alphabet.reruns: expected an integer of at least 0, got -1"),
        ({"alphabet": {"endings": ["okay"]}}, "(perhaps 'ok'?), expected a mapping or one of ok;"),
        ({"alphabet": {"endings": [7]}}, "alphabet.endings[0]: unknown ending 7, expected"),
        ({"alphabet": {"endings": []}}, "expected at least one way in which work ends"),
        ({"alphabet": {"endings": ["ok", "ok"]}}, "alphabet.endings[1]: 'ok' is given twice"),
        ({"alphabet": {"endings": [{"name": "ok", "noop": True}]}},
         "alphabet.endings[0].name: 'ok' is the name of another ending"),
        ({"alphabet": {"endings": [{"name": "x", "outcom": "failed"}]}},
         "alphabet.endings[0].outcom: unknown key"),
        ({"alphabet": {"answers": ["aprove"]}}, "unknown answer 'aprove' (perhaps 'approve'?)"),
        ({"alphabet": {"operations": ["skip"]}}, "unknown operation 'skip'"),
        ({"alphabet": {"pauses": "no"}}, "alphabet.pauses: expected true or false, got 'no'"),
        ({"alphabet": {"generated": [{"key": "g", "steps": [{"key": "a"}]}]}},
         "alphabet.generated: the flow declares its groups, so that none are generated"),
        ({"alphabet": {"appended": [{"key": "network", "steps": [{"key": "a"}]}]}},
         "alphabet.appended: 'network' is a key of the flow already"),
        ({"alphabet": {"appended": [{"key": "g", "steps": []}]}},
         "alphabet.appended[0].steps: expected at least one step"),
        ({"alphabet": {"appended": 3}}, "alphabet.appended: expected a list, got 3"),
    ],
)  # fmt: skip
def test_what_is_refused(data: Any, problem: str) -> None:
    """An error names the place, what stands there, and what was perhaps meant."""
    if isinstance(data, dict) and data:
        data = {"format": FORMAT, **data}
    with pytest.raises(FormatError) as caught:
        decode_checks(data, spec=DEPLOY)
    assert problem in str(caught.value)


def test_what_is_wrong_with_one_part_does_not_hide_the_next() -> None:
    """Problems of the alphabet and of every claim are told at once."""
    data = {
        "format": FORMAT,
        "alphabet": {"reruns": -1},
        "claims": [{"never": {"step": "apply-it", "status": "queud"}}, {"nver": OVER}],
    }
    with pytest.raises(FormatError) as caught:
        decode_checks(data, spec=DEPLOY)
    assert [place for place, _ in caught.value.problems] == [
        "alphabet.reruns",
        "claims[0].never.step",
        "claims[0].never.status",
        "claims[1].nver",
    ]


def test_the_schema_refuses_what_has_the_wrong_shape() -> None:
    """An editor that knows the schema marks what the reader would refuse."""
    validator = Draft202012Validator(checks_schema())
    Draft202012Validator.check_schema(checks_schema())
    for data in (
        {},
        {"format": FORMAT, "claims": [{"nver": OVER}]},
        {"format": FORMAT, "claims": [{"never": OVER, "always": OVER}]},
        {"format": FORMAT, "claims": [{"never": {}}]},
        {"format": FORMAT, "claims": [{"never": {"status": "queued"}}]},
        {"format": FORMAT, "claims": [{"never": {"step": "a"}}]},
        {"format": FORMAT, "claims": [{"leads-to": {"from": OVER}}]},
        {"format": FORMAT, "alphabet": {"endings": ["okay"]}},
        {"format": FORMAT, "alphabet": {"reruns": -1}},
    ):
        assert not validator.is_valid(data), data
    whole = default_alphabet(flow()).as_data()
    assert validator.is_valid({"format": FORMAT, "alphabet": whole})
