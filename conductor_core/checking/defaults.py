"""Alphabets that suit a flow: one that a search can bear, and one that leaves nothing out.

Rule: what is chosen depends on the flow alone, and is told like everything else in an
alphabet. Whoever wants more or less changes single fields (`attrs.evolve`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from conductor_core.checking.alphabet import (
    ALL_ENDINGS,
    ALL_OPERATIONS,
    CANCELLED,
    DENIED,
    FAIL,
    NOOP,
    OK,
    PASSED,
    UNEVALUATED,
    Alphabet,
    Ending,
)
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, StepSpec

WIDE: Final = 4
"""So many steps side by side bear a continue-as-new that may come at any moment."""

GENERATED: Final = (
    GroupSpec(
        key="generated",
        steps=[
            StepSpec(key="generated-plan", approval=ApprovalSpec()),
            StepSpec(key="generated-apply", needs=["generated-plan"]),
        ],
    ),
    GroupSpec(key="generated-later", steps=[StepSpec(key="generated-check")]),
)
"""What is delivered to a flow that has its groups generated, unless the alphabet says it."""
APPENDED: Final = (GroupSpec(key="appended", steps=[StepSpec(key="appended-step")]),)


def default_alphabet(spec: FlowSpec) -> Alphabet:
    """What is tried on a flow unless somebody says otherwise.

    Work succeeds, fails, is cancelled, finds nothing to do and is judged by policies, as
    far as the flow declares what to make of it; people do all they usually do; the host
    suggests to continue as new once, unless many steps of the flow run side by side; and a
    flow that declares no groups is given two.
    """
    generated = () if spec.groups else GENERATED
    groups = (*spec.groups, *generated)
    wide = any(group.parallel and len(group.steps) > WIDE for group in groups)
    return Alphabet(
        endings=tuple(_endings(spec, [step for group in groups for step in group.steps])),
        starts=True,
        suggestions=0 if wide else 1,
        generated=generated,
    )


def _endings(spec: FlowSpec, steps: list[StepSpec]) -> Iterator[Ending]:
    """The ways in which work may end that the flow tells apart."""
    yield from (OK, FAIL, CANCELLED)
    if any(step.skip_if_noop for step in steps):
        yield NOOP
    asking = [step.approval for step in steps if step.approval is not None]
    if asking:
        yield DENIED
    by_policy = any(approval.auto_approve_on_policy_pass for approval in asking)
    if by_policy:
        yield PASSED
    if by_policy or (asking and spec.options.approval == "approve-all"):
        yield UNEVALUATED


def full_alphabet(spec: FlowSpec) -> Alphabet:
    """All that an alphabet can say, each counted thing once: for small flows only."""
    return evolve(
        default_alphabet(spec),
        endings=ALL_ENDINGS,
        judges_all=True,
        silent=True,
        options=("prompt", "approve-all"),
        cancels_parts=True,
        retry_now=True,
        operations=ALL_OPERATIONS,
        suggestions=1,
        appended=APPENDED,
        strays=True,
    )
