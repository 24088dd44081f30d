"""Section 6, row by row: from the outcome of work to its directive."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve

from conductor_core import ApprovalSpec, Directive, FlowOptions, RetryPolicy, StepSpec
from conductor_core.attempt import Result
from conductor_core.directives import (
    FIXED_MESSAGES,
    Budget,
    Decision,
    Work,
    decide,
    describe,
    policy_denial,
)
from conductor_core.events import PolicyReport, StepError

STEP: Final = StepSpec(key="a")
PLANS: Final = evolve(STEP, approval=ApprovalSpec())
FORGIVEN: Final = evolve(STEP, skip_on_failure=True)
UNRETRYABLE: Final = evolve(STEP, retryable=False)
NOOP: Final = evolve(STEP, skip_if_noop=True)


def retrying(step: StepSpec = STEP, **policy: Any) -> StepSpec:
    """A step with a retry policy of its own."""
    return evolve(step, retry=RetryPolicy(**policy))


AUTO: Final = retrying(max_auto_retries=3)
AUTO_GROUP: Final = retrying(max_auto_retries=3, scope="group")
NOTHING: Final = Result()
IS_NOOP: Final = Result(noop=True)
DENIED: Final = Result(policy=PolicyReport(deny_violations=["no-public-bucket"]))
DENIED_UNSEEN: Final = Result(
    policy=PolicyReport(deny_violations=["no-public-bucket"], evaluated=False)
)
WARNED: Final = Result(policy=PolicyReport(warn_violations=["no-owner"]))
TERMINAL: Final = Result(error=StepError(terminal=True))
POINTLESS: Final = Result(error=StepError(non_retryable=True))
CAUSED: Final = Result(error=StepError(cause=StepError(terminal=True, non_retryable=True)))
PARKING: Final = FlowOptions(on_failure="await-retry")

Row = tuple[str, str, str | None, dict[str, Any], str]
"""Rule, outcome, directive, what else is true, and `directive status reason`."""

ROWS: Final[list[Row]] = [
    # A cancel that nobody asked for stops, whatever the worker says of it.
    ("S6.1", "cancelled", None, {}, "stop cancelled cancelled-externally"),
    ("S6.1", "cancelled", "retry", {}, "stop cancelled cancelled-externally"),
    ("S6.1", "cancelled", "dance", {}, "stop cancelled cancelled-externally"),
    ("S6.1", "cancelled", None, {"step": FORGIVEN}, "stop cancelled cancelled-externally"),
    ("S6.1", "cancelled", None, {"result": DENIED}, "stop cancelled cancelled-externally"),
    # An unknown directive is never guessed at.
    ("S6.2", "succeeded", "dance", {}, "stop error unknown-directive"),
    ("S6.2", "succeeded", "", {}, "stop error unknown-directive"),
    ("S6.2", "succeeded", "CONTINUE", {}, "stop error unknown-directive"),
    ("S6.2", "failed", "dance", {"step": FORGIVEN}, "stop error unknown-directive"),
    ("S6.2", "succeeded", "dance", {"result": DENIED}, "stop error unknown-directive"),
    # A policy's deny is a failure that no automatic retry can mend.
    ("S6.3", "succeeded", None, {"result": DENIED}, "stop error policy-denied"),
    ("S6.3", "succeeded", None, {"result": DENIED_UNSEEN}, "stop error policy-denied"),
    ("S6.3", "succeeded", None, {"result": DENIED, "step": PLANS}, "stop error policy-denied"),
    ("S6.3", "succeeded", None, {"result": DENIED, "step": AUTO}, "stop error policy-denied"),
    ("S6.3", "succeeded", "stop", {"result": DENIED}, "stop error policy-denied"),
    ("S6.3", "succeeded", "skip-group", {"result": DENIED}, "stop error policy-denied"),
    ("S6.3", "succeeded", "retry", {"result": DENIED}, "retry error policy-denied"),
    (
        "S6.3",
        "succeeded",
        None,
        {"result": DENIED, "step": FORGIVEN},
        "continue error policy-denied",
    ),
    (
        "S6.3",
        "succeeded",
        None,
        {"result": DENIED, "options": PARKING},
        "await-retry error policy-denied",
    ),
    (
        "S6.3",
        "succeeded",
        None,
        {"result": evolve(DENIED, noop=True), "step": NOOP},
        "stop error policy-denied",
    ),
    (
        "S6.3",
        "succeeded",
        None,
        {"result": evolve(DENIED, error=StepError(terminal=True)), "options": PARKING},
        "await-retry error policy-denied",
    ),
    ("S6.3", "succeeded", None, {"result": WARNED}, "continue success -"),
    # Nothing to do: the rest of the group is not needed.
    ("S6.4", "succeeded", None, {"result": IS_NOOP, "step": NOOP}, "skip-group auto-skipped noop"),
    (
        "S6.4",
        "succeeded",
        "continue",
        {"result": IS_NOOP, "step": NOOP},
        "skip-group auto-skipped noop",
    ),
    (
        "S6.4",
        "succeeded",
        None,
        {"result": IS_NOOP, "step": evolve(NOOP, approval=ApprovalSpec())},
        "skip-group auto-skipped noop",
    ),
    ("S6.4", "succeeded", None, {"result": IS_NOOP}, "continue success -"),
    ("S6.4", "succeeded", None, {"step": NOOP}, "continue success -"),
    ("S6.4", "succeeded", None, {"step": NOOP, "result": Result(noop=False)}, "continue success -"),
    # Success, with and without an approval.
    ("S6.5", "succeeded", None, {"step": PLANS}, "await-approval approval-awaiting -"),
    ("S6.5", "succeeded", "continue", {"step": PLANS}, "await-approval approval-awaiting -"),
    ("S6.5", "succeeded", "await-approval", {"step": PLANS}, "await-approval approval-awaiting -"),
    (
        "S6.5",
        "succeeded",
        "await-approval",
        {"step": evolve(NOOP, approval=ApprovalSpec()), "result": IS_NOOP},
        "await-approval approval-awaiting -",
    ),
    ("S6.6", "succeeded", None, {}, "continue success -"),
    ("S6.6", "succeeded", "continue", {}, "continue success -"),
    ("S6.7", "succeeded", "await-approval", {}, "await-approval approval-awaiting -"),
    ("S6.8", "succeeded", "skip-group", {}, "skip-group success -"),
    ("S6.8", "succeeded", "skip-group", {"step": PLANS}, "skip-group auto-skipped -"),
    ("S6.9", "succeeded", "stop", {}, "stop success stopped-by-step"),
    ("S6.9", "succeeded", "stop", {"step": PLANS}, "stop discarded stopped-by-step"),
    # A success that asks for a retry is a failure with that wish, terminal or not.
    ("S6.10", "succeeded", "retry", {}, "retry error failed"),
    ("S6.10", "succeeded", "retry-group", {"step": PLANS}, "retry-group error failed"),
    ("S6.10", "succeeded", "await-retry", {}, "await-retry error failed"),
    ("S6.10", "succeeded", "retry", {"result": TERMINAL}, "retry error failed"),
    ("S6.10", "succeeded", "retry", {"retry": 10}, "stop error retries-exhausted"),
    # A failure may stop, and may not wave itself through.
    ("S6.11", "failed", "stop", {}, "stop error failed"),
    ("S6.11", "failed", "stop", {"step": FORGIVEN}, "stop error failed"),
    ("S6.11", "failed", "stop", {"result": TERMINAL}, "stop error failed"),
    ("S6.11", "failed", "stop", {"timed_out": True}, "stop error timeout"),
    ("S6.12", "failed", "continue", {}, "stop error failed"),
    ("S6.12", "failed", "skip-group", {}, "stop error failed"),
    ("S6.12", "failed", "await-approval", {"step": PLANS}, "stop error failed"),
    ("S6.12", "failed", "continue", {"step": AUTO}, "retry error failed"),
    ("S6.12", "failed", "skip-group", {"result": TERMINAL}, "stop error terminal-error"),
    # A terminal error of its own rules out every retry.
    ("S6.13", "failed", None, {"result": TERMINAL}, "stop error terminal-error"),
    ("S6.13", "failed", "retry", {"result": TERMINAL}, "stop error terminal-error"),
    ("S6.13", "failed", "await-retry", {"result": TERMINAL}, "stop error terminal-error"),
    ("S6.13", "failed", None, {"result": TERMINAL, "retry": 10}, "stop error terminal-error"),
    (
        "S6.13",
        "failed",
        None,
        {"result": TERMINAL, "step": FORGIVEN},
        "continue error terminal-error",
    ),
    ("S6.19a", "failed", None, {"result": CAUSED, "step": AUTO}, "retry error failed"),
    # The budget of the step, or of the group where the retry would be of the group.
    ("S6.14", "failed", "retry", {"retry": 9}, "retry error failed"),
    ("S6.14", "failed", "retry", {"retry": 10}, "stop error retries-exhausted"),
    ("S6.14", "failed", None, {"retry": 10}, "stop error retries-exhausted"),
    ("S6.14", "failed", "await-retry", {"retry": 10}, "stop error retries-exhausted"),
    ("S6.14", "failed", None, {"step": FORGIVEN, "retry": 10}, "continue error retries-exhausted"),
    ("S6.14", "failed", "retry-group", {"retry": 10}, "retry-group error failed"),
    ("S6.14", "failed", "retry-group", {"generation": 9}, "retry-group error failed"),
    ("S6.14", "failed", "retry-group", {"generation": 10}, "stop error retries-exhausted"),
    (
        "S6.14",
        "failed",
        "retry-group",
        {"generation": 2, "group_max_retries": 2},
        "stop error retries-exhausted",
    ),
    ("S6.14", "failed", None, {"step": AUTO_GROUP, "retry": 10}, "retry-group error failed"),
    (
        "S6.14",
        "failed",
        None,
        {"step": AUTO_GROUP, "generation": 1, "group_max_retries": 1},
        "stop error retries-exhausted",
    ),
    (
        "S6.14",
        "failed",
        "retry",
        {"step": AUTO_GROUP, "generation": 1, "group_max_retries": 1},
        "retry error failed",
    ),
    (
        "S6.14",
        "failed",
        "retry",
        {"step": AUTO_GROUP, "retry": 10},
        "stop error retries-exhausted",
    ),
    (
        "S6.14",
        "failed",
        "await-retry",
        {"step": AUTO_GROUP, "generation": 1, "group_max_retries": 1},
        "stop error retries-exhausted",
    ),
    (
        "S6.14",
        "failed",
        None,
        {"step": retrying(max_retries=0, max_auto_retries=9)},
        "stop error retries-exhausted",
    ),
    # A retry that the worker asks for.
    ("S6.15", "failed", "retry", {}, "retry error failed"),
    ("S6.15", "failed", "retry", {"result": POINTLESS}, "retry error failed"),
    ("S6.15", "failed", "retry", {"step": AUTO_GROUP}, "retry error failed"),
    ("S6.15", "failed", "retry", {"step": UNRETRYABLE}, "retry error failed"),
    ("S6.15", "failed", "retry", {"step": FORGIVEN}, "retry error failed"),
    ("S6.15", "failed", "retry-group", {}, "retry-group error failed"),
    # An automatic retry.
    ("S6.16", "failed", None, {"step": AUTO, "retry": 2}, "retry error failed"),
    ("S6.16", "failed", None, {"step": AUTO, "retry": 3}, "stop error failed"),
    ("S6.16", "failed", None, {"step": AUTO, "timed_out": True}, "retry error timeout"),
    ("S6.16", "failed", None, {"step": AUTO, "result": POINTLESS}, "stop error failed"),
    ("S6.16", "failed", "await-retry", {"step": AUTO}, "await-retry error failed"),
    ("S6.16", "failed", None, {"step": AUTO_GROUP, "generation": 2}, "retry-group error failed"),
    ("S6.16", "failed", None, {"step": AUTO_GROUP, "generation": 3}, "stop error failed"),
    (
        "S6.16",
        "failed",
        None,
        {"step": evolve(AUTO, skip_on_failure=True)},
        "retry error failed",
    ),
    # Forgiven, parked, or stopped.
    ("S6.17", "failed", None, {"step": FORGIVEN}, "continue error failed"),
    ("S6.17", "failed", None, {"step": FORGIVEN, "options": PARKING}, "continue error failed"),
    ("S6.17", "failed", "await-retry", {"step": FORGIVEN}, "continue error failed"),
    ("S6.17", "failed", None, {"step": FORGIVEN, "timed_out": True}, "continue error timeout"),
    ("S6.18", "failed", None, {"options": PARKING}, "await-retry error failed"),
    ("S6.18", "failed", "await-retry", {}, "await-retry error failed"),
    ("S6.18", "failed", None, {"options": PARKING, "timed_out": True}, "await-retry error timeout"),
    (
        "S6.18",
        "failed",
        None,
        {"options": PARKING, "result": POINTLESS},
        "await-retry error failed",
    ),
    ("S6.19", "failed", None, {}, "stop error failed"),
    ("S6.19", "failed", None, {"timed_out": True}, "stop error timeout"),
    ("S6.19", "failed", None, {"step": UNRETRYABLE, "options": PARKING}, "stop error failed"),
    ("S6.19", "failed", "await-retry", {"step": UNRETRYABLE}, "stop error failed"),
]


def decided(
    outcome: str,
    directive: str | None,
    *,
    step: StepSpec = STEP,
    result: Result = NOTHING,
    timed_out: bool = False,
    **charged: Any,
) -> Decision:
    """What follows from work that ended, in its first attempt unless something else is said."""
    plain: dict[str, Any] = {
        "options": FlowOptions(),
        "retry": 0,
        "generation": 0,
        "group_max_retries": 10,
    }
    work = Work(0, step, outcome, directive, result, timed_out)
    return decide(work, {0: Budget(**{**plain, **charged})}.__getitem__)


@pytest.mark.parametrize(
    ("outcome", "directive", "others", "expected"),
    [pytest.param(*row[1:], id=f"{row[0]}-{number}") for number, row in enumerate(ROWS)],
)
def test_the_first_row_that_matches_decides(
    outcome: str, directive: str | None, others: dict[str, Any], expected: str
) -> None:
    """Directive, status and reason are those of the first row of section 6 that matches."""
    decision = decided(outcome, directive, **others)
    assert f"{decision.directive} {decision.status} {decision.reason or '-'}" == expected


def test_every_row_of_the_section_has_its_examples() -> None:
    """No row of the table goes untested."""
    assert {rule for rule, *_ in ROWS} >= {f"S6.{row}" for row in range(1, 20)}


@pytest.mark.parametrize("directive", [None, *Directive])
@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_an_error_goes_on_only_where_it_is_forgiven(outcome: str, directive: str | None) -> None:
    """A failed attempt lets its group advance only if `skip_on_failure` is set (S6.20)."""
    for result in (Result(), DENIED, TERMINAL, POINTLESS):
        for options in (FlowOptions(), PARKING):
            for retry in (0, 10):
                facts: dict[str, Any] = {"result": result, "options": options, "retry": retry}
                decision = decided(outcome, directive, **facts)
                if decision.status == "error":
                    assert decision.directive not in ("continue", "skip-group", "await-approval")


@pytest.mark.parametrize(
    ("outcome", "directive", "others", "flags"),
    [
        ("succeeded", None, {}, (False, False, False)),
        ("succeeded", "stop", {}, (False, False, False)),
        ("succeeded", "retry", {}, (True, False, False)),
        ("failed", None, {}, (True, False, False)),
        ("cancelled", None, {}, (True, False, False)),
        ("failed", None, {"retry": 10}, (True, True, False)),
        ("failed", None, {"result": TERMINAL}, (True, False, False)),
        ("succeeded", None, {"result": DENIED}, (True, False, True)),
        ("succeeded", "retry", {"result": DENIED, "retry": 10}, (True, True, True)),
        ("failed", None, {"result": DENIED}, (True, False, False)),
    ],
)
def test_a_decision_says_what_it_is_besides(
    outcome: str, directive: str | None, others: dict[str, Any], flags: tuple[bool, bool, bool]
) -> None:
    """Whether it failed, used up its retries, and was denied by its policy."""
    decision = decided(outcome, directive, **others)
    assert (decision.failed, decision.exhausted, decision.denied) == flags


def test_the_directives_are_those_of_the_rules() -> None:
    """There are seven, and their names are what workers send."""
    assert [directive.value for directive in Directive] == [
        "continue",
        "stop",
        "await-approval",
        "skip-group",
        "retry",
        "retry-group",
        "await-retry",
    ]


def test_a_deny_leaves_an_error_of_its_own() -> None:
    """What a policy denied carries a fixed error that no automatic retry can mend (S6.3)."""
    denied = policy_denial(evolve(DENIED, error=StepError(message="secret")))
    assert denied.policy == DENIED.policy
    assert denied.error == StepError(
        message="Denied by policy", type="policy-denied", non_retryable=True
    )


# --- what people are told (S6.21, S7.4) ---


def test_internals_never_leak() -> None:
    """The message of an error that is not meant for people is not shown to them."""
    leaky = StepError(message="password=hunter2", cause=StepError(message="at line 7"))
    assert describe("failed", leaky) == "Step failed"
    assert describe("failed", None) == "Step failed"


@pytest.mark.parametrize("mark", ["non_retryable", "terminal"])
def test_the_outermost_error_for_people_is_shown(mark: str) -> None:
    """In the chain of causes the first one that is marked speaks."""
    marked: dict[str, Any] = {mark: True}
    inner = StepError(message="inner", non_retryable=True)
    middle = StepError(message="quota exceeded", cause=inner, **marked)
    assert describe("retries-exhausted", StepError(message="http 429", cause=middle)) == (
        "quota exceeded"
    )


@pytest.mark.parametrize("reason", FIXED_MESSAGES)
def test_what_is_no_failure_of_work_has_a_fixed_message(reason: str) -> None:
    """For such a reason the error is not looked at."""
    error = StepError(message="something else", non_retryable=True)
    assert describe(reason, error) == FIXED_MESSAGES[reason]


def test_the_fixed_messages_are_those_of_the_rules() -> None:
    """People are told the same words everywhere (S7.4)."""
    assert FIXED_MESSAGES == {
        "denied": "Approval denied",
        "approval-expired": "Approval expired",
        "stale-plan": "Plan is stale and its retries are exhausted",
        "skipped-dependents": "Skipped with its dependents",
        "policy-denied": "Denied by policy",
        "cancelled-externally": "Cancelled outside the flow",
        "unknown-directive": "Unknown directive",
        "stopped-by-step": "Stopped by the step",
        "generation-failed": "Step generation failed",
        "no-steps": "No steps were generated",
    }
