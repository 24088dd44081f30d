"""Every flow of a few steps, each searched for all that it can do.

Rule: what is enumerated is every way to put the steps into groups, and for each group and
step every combination of the choices that rules depend on. A group of one step behaves alike
whether it is parallel or not, so it is taken once.

    python -m property_tests.every_flow --steps 3 --part 0/1
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Final

from attrs import field, frozen

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, GroupSpec, RetryPolicy, StepSpec
from conductor_core.checking import Alphabet, check

ALPHABET: Final = Alphabet()
KEYS: Final = "abcdef"


def flows(steps: int) -> Iterator[FlowSpec]:
    """Every flow of so many steps."""
    for sizes in _sizes(steps):
        for parallel in product(*((False, True) if size > 1 else (False,) for size in sizes)):
            for kinds in product(_kinds(), repeat=steps):
                for on_failure in ("stop", "await-retry"):
                    yield _flow(sizes, parallel, kinds, on_failure)


def _sizes(steps: int) -> Iterator[tuple[int, ...]]:
    """Every way to put steps into groups, by the sizes of these."""
    if steps == 0:
        yield ()
    for first in range(1, steps + 1):
        yield from ((first, *rest) for rest in _sizes(steps - first))


@frozen
class _Kind:
    """What is chosen for one step."""

    approval: bool
    scope: str
    forgiven: bool


def _kinds() -> Iterator[_Kind]:
    yield from (
        _Kind(*chosen) for chosen in product((False, True), ("step", "group"), (False, True))
    )


def _flow(
    sizes: tuple[int, ...], parallel: tuple[bool, ...], kinds: tuple[_Kind, ...], on_failure: str
) -> FlowSpec:
    steps = iter([_step(key, kind) for key, kind in zip(KEYS, kinds, strict=False)])
    groups = [
        GroupSpec(key=f"g{n}", steps=[next(steps) for _ in range(size)], parallel=together)
        for n, (size, together) in enumerate(zip(sizes, parallel, strict=True))
    ]
    return FlowSpec(groups=groups, options=FlowOptions(on_failure=on_failure))


def _step(key: str, kind: _Kind) -> StepSpec:
    retry = RetryPolicy(max_retries=1, max_auto_retries=1, scope=kind.scope)
    approval = ApprovalSpec() if kind.approval else None
    return StepSpec(key=key, approval=approval, retry=retry, skip_on_failure=kind.forgiven)


@frozen(kw_only=True)
class Sum:
    """What was looked at, all in all, and every claim that is not true."""

    flows: int
    states: int
    transitions: int
    bad: tuple[str, ...] = ()
    outcomes: Counter[tuple[str, str | None]] = field(factory=Counter)


def add_up(specs: Iterator[FlowSpec], alphabet: Alphabet = ALPHABET) -> Sum:
    """Check every one of these flows against the theorems."""
    count = states = transitions = 0
    bad: list[str] = []
    outcomes = Counter[tuple[str, str | None]]()
    for spec in specs:
        checked = check(spec, alphabet=alphabet)
        count += 1
        states += checked.states
        transitions += checked.transitions
        outcomes.update(checked.outcomes)
        if not checked.is_good:
            bad.append(f"{spec}: {checked}")
    return Sum(
        flows=count, states=states, transitions=transitions, bad=tuple(bad), outcomes=outcomes
    )


def main() -> None:
    """Check every flow of so many steps, or one part of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="which part of how many")
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    begun = time.perf_counter()
    found = add_up(spec for n, spec in enumerate(flows(given.steps)) if n % parts == part)
    took = time.perf_counter() - begun
    print(f"{found.flows} flows, {found.states} states, {found.transitions} transitions, "
          f"{len(found.bad)} violations, {took:.0f} s")  # fmt: skip
    for story in found.bad:
        print(story)


if __name__ == "__main__":
    main()
