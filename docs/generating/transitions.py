"""Which statuses follow from which: found by searching small flows, and never written down.

Rule: the running reducer is asked, under an alphabet of all that may happen; what is seen is
what there is. A status that no flow here comes to fails the tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    Transition,
)
from conductor_core.checking import Alphabet, always, check, default_alphabet
from conductor_core.codec import TAGS
from conductor_core.events import Event, StepFinished

Seen: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""Which events led from one status to another."""
KINDS: Final = ("attempt", "group", "flow")
NONE: Final = "(none)"
"""Before there was an attempt or a group."""

_WAITS: Final = FlowOptions(on_failure="await-retry")
_PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=60_000), skip_if_noop=True)
_FRAGILE: Final = StepSpec(key="apply", retry=RetryPolicy(max_auto_retries=1, jitter=False))
_FLOWS: Final = (
    FlowSpec(options=_WAITS, groups=[GroupSpec(key="a", steps=[_PLAN])]),
    FlowSpec(options=_WAITS, groups=[GroupSpec(key="a", steps=[_FRAGILE])]),
    FlowSpec(groups=[GroupSpec(key="a", steps=[_PLAN, StepSpec(key="apply")])]),
    FlowSpec(
        groups=[
            GroupSpec(
                key="a",
                parallel=True,
                fail_fast=True,
                steps=[StepSpec(key="x"), StepSpec(key="y", skipped=True)],
            ),
            GroupSpec(key="b", steps=[StepSpec(key="z")]),
        ]
    ),
    FlowSpec(
        groups=[
            GroupSpec(
                key="a",
                steps=[
                    StepSpec(
                        key="x", retry=RetryPolicy(max_auto_retries=1, scope="group", jitter=False)
                    )
                ],
            )
        ]
    ),
    FlowSpec(),
)
_GENERATED: Final = (GroupSpec(key="g", steps=[StepSpec(key="made")]),)


def transitions() -> Mapping[str, Seen]:
    """What was seen of attempts, groups and flows."""
    seen: dict[str, dict[tuple[str, str], set[str]]] = {kind: defaultdict(set) for kind in KINDS}

    def watch(before: FlowState, event: Event, transition: Transition) -> bool:
        for kind, old, new in _changes(before, transition.state):
            if old != new:
                seen[kind][old, new].add(_told(event))
        return True

    for spec in _FLOWS:
        watched = always("watched", transition=watch)
        check(spec, watched, alphabet=_alphabet(spec), theorems=())
    return {
        kind: {pair: frozenset(causes) for pair, causes in sorted(pairs.items())}
        for kind, pairs in seen.items()
    }


def _alphabet(spec: FlowSpec) -> Alphabet:
    """What usually may happen, but for fresh histories, which change no status."""
    alphabet = evolve(default_alphabet(spec), suggestions=0)
    return alphabet if spec.groups else evolve(alphabet, generated=_GENERATED)


def _told(event: Event) -> str:
    """An event by its wire tag; the end of work by how it ended, too."""
    tag = TAGS[type(event)]
    return f"{tag} ({event.outcome})" if isinstance(event, StepFinished) else tag


def _changes(before: FlowState, after: FlowState) -> Iterator[tuple[str, str, str]]:
    """Kind, old status and new status of all that both states have, and of what is new."""
    yield "flow", str(before.status), str(after.status)
    for group in range(len(after.catalog.groups)):
        known = group < len(before.catalog.groups)
        old = before.group_status(group) if known else NONE
        yield "group", str(old), str(after.group_status(group))
    old_attempts = {attempt.id: attempt for attempt in before.attempts()}
    for attempt in after.attempts():
        was = old_attempts.get(attempt.id)
        yield "attempt", NONE if was is None else str(was.status), str(attempt.status)
