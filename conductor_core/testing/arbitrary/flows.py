"""Any flow: every field of its declaration takes every kind of value, most of them rarely.

Rule: flows are small, since two groups of three steps already meet nearly every rule, and
valid; `broken_groups` makes what the validator must refuse.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_core.spec import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.testing.arbitrary.choices import Choose, chance, one_of, some

PEOPLE: Final = ("ana", "bo", "cy", "dee")
RARITIES: Final = (8, 20, 45)
"""How many of a hundred chances a special feature gets: plain flows, mixed flows, wild ones."""


def any_flow(choose: Choose) -> FlowSpec:
    """Any flow: declared groups, or none, so that they are generated."""
    percent = one_of(choose, RARITIES)
    generated = chance(choose, 20)
    groups = () if generated else any_groups(choose, percent=percent)
    metadata = {"team": "core"} if chance(choose, percent) else {}
    return FlowSpec(groups=groups, options=_options(choose, percent), metadata=metadata)


def any_groups(
    choose: Choose, known: tuple[GroupSpec, ...] = (), *, percent: int | None = None
) -> tuple[GroupSpec, ...]:
    """One to three groups that may follow the known ones."""
    rarity = one_of(choose, RARITIES) if percent is None else percent
    groups = known
    for _ in range(1 + choose(3)):
        groups = (*groups, _group(choose, groups, rarity))
    return groups[len(known) :]


def broken_groups(choose: Choose, known: tuple[GroupSpec, ...]) -> tuple[GroupSpec, ...]:
    """Groups that may not follow the known ones, for one reason or another (S2.1)."""
    first, *others = any_groups(choose, known)
    step = first.steps[0]
    taken = known[0] if known else first
    broken = one_of(
        choose,
        (
            evolve(first, steps=()),
            evolve(first, key="no key"),
            evolve(first, key=taken.key, steps=(step, step)),
            evolve(first, max_parallel=0),
            evolve(first, steps=(*first.steps, evolve(step, needs=()))),
            evolve(first, steps=(*first.steps, taken.steps[0])),
            evolve(first, steps=(evolve(step, needs=("nowhere",)),)),
            evolve(first, steps=(evolve(step, needs=(step.key,)),)),
            evolve(first, steps=(evolve(step, timeout_ms=-1),)),
            evolve(first, steps=(evolve(step, on_recovery="panic"),)),
            evolve(first, steps=(evolve(step, retry=RetryPolicy(backoff_ms=(5, -1))),)),
            evolve(first, steps=(evolve(step, approval=ApprovalSpec(required=0)),)),
            evolve(first, steps=(evolve(step, approval=ApprovalSpec(approvers=())),)),
        ),
    )
    return (broken, *others)


def _options(choose: Choose, percent: int) -> FlowOptions:
    return FlowOptions(
        approval="approve-all" if chance(choose, percent // 3) else "prompt",
        on_failure=one_of(choose, ("stop", "await-retry")),
        continue_as_new_every=1 + choose(2) if chance(choose, percent) else None,
        max_parallel=1 + choose(2) if chance(choose, percent) else None,
        cancel_grace_ms=one_of(choose, (30_000, 0)),
    )


def _group(choose: Choose, known: tuple[GroupSpec, ...], percent: int) -> GroupSpec:
    """A group that may follow the known ones; its number is in the names of its steps."""
    number = len(known)
    parallel = chance(choose, 50)
    earlier = [step.key for group in known for step in group.steps]
    steps: list[StepSpec] = []
    for letter in "abcd"[: 1 + choose(4)]:
        needable = earlier if parallel else [*earlier, *(step.key for step in steps)]
        steps.append(_step(choose, f"{letter}{number}", needable, percent))
    return GroupSpec(
        key=f"g{number}",
        steps=steps,
        parallel=parallel,
        max_parallel=1 + choose(3) if chance(choose, percent) else None,
        fail_fast=chance(choose, percent),
    )


def _step(choose: Choose, key: str, earlier: list[str], percent: int) -> StepSpec:
    """A step that may need the earlier ones."""
    return StepSpec(
        key=key,
        work="shell" if chance(choose, percent) else None,
        input={"run": key} if chance(choose, percent) else {},
        approval=_approval(choose, percent) if chance(choose, percent + 15) else None,
        retry=_retry(choose, percent) if chance(choose, percent + 20) else RetryPolicy(),
        retryable=not chance(choose, percent // 2),
        skippable=not chance(choose, percent // 2),
        skip_on_failure=chance(choose, percent // 2),
        skip_if_noop=chance(choose, percent),
        skipped=chance(choose, percent // 3),
        timeout_ms=one_of(choose, (60_000, 0)) if chance(choose, percent) else None,
        needs=some(choose, earlier, 2) if chance(choose, percent + 10) else (),
        on_recovery="fail" if chance(choose, percent // 2) else "redispatch",
    )


def _retry(choose: Choose, percent: int) -> RetryPolicy:
    return RetryPolicy(
        max_retries=one_of(choose, (10, 3, 2, 1, 0)),
        max_auto_retries=one_of(choose, (0, 1, 2, 3)),
        scope="group" if chance(choose, percent + 15) else "step",
        backoff_ms=one_of(choose, ((), (1_000,), (1_000, 5_000), (0, 40_000))),
        jitter=chance(choose, 50),
    )


def _approval(choose: Choose, percent: int) -> ApprovalSpec:
    required = 1 + (choose(3) if chance(choose, percent + 15) else 0)
    named = PEOPLE[: required + choose(2)] if chance(choose, percent + 15) else None
    return ApprovalSpec(
        required=required,
        approvers=named,
        timeout_ms=one_of(choose, (86_400_000, 0)) if chance(choose, percent + 10) else None,
        stale_after_ms=one_of(choose, (1_000, 0, 50_000)) if chance(choose, percent + 10) else None,
        auto_approve_on_policy_pass=chance(choose, percent),
        skip_scope="step" if chance(choose, percent + 15) else "group",
    )
