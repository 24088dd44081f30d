"""Which statuses follow from which: found by searching small flows, and never written down.

Rule: the running reducer is asked, under an alphabet of all that may happen; what is seen is
what there is. The search is bounded, so that an event that seldom leads along an arrow may be
missing there; tests demand rare arrows that the rules tell of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
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
from conductor_core.checking import Alphabet, always, check, full_alphabet
from conductor_core.checking.alphabet import OPERATIONS
from conductor_core.codec import TAGS
from conductor_core.events import Event, StepFinished

Seen: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""Which events led from one status to another."""
KINDS: Final = ("attempt", "group", "flow")
NONE: Final = "(none)"
"""Before there was an attempt or a group."""

MOST: Final = 2_500
"""So many states of each flow are looked at, the nearest to its start first."""

_WAITS: Final = FlowOptions(on_failure="await-retry")
_AGAIN: Final = RetryPolicy(max_retries=1, max_auto_retries=1, jitter=False)
_PLAN: Final = StepSpec(
    key="plan",
    approval=ApprovalSpec(timeout_ms=60_000, stale_after_ms=1_000),
    skip_if_noop=True,
    retry=RetryPolicy(max_retries=1),
)
_FRAGILE: Final = StepSpec(key="fragile", retry=_AGAIN, timeout_ms=60_000)
_PLAIN: Final = StepSpec(key="plain", timeout_ms=60_000)
_IN_GROUPS: Final = StepSpec(key="again", retry=evolve(_AGAIN, scope="group"))
_HURRIED: Final = GroupSpec(
    key="hurried",
    parallel=True,
    fail_fast=True,
    max_parallel=1,
    steps=[_PLAIN, StepSpec(key="skipped", skipped=True)],
)


def _flow(*steps: StepSpec, parallel: bool = False, options: FlowOptions | None = None) -> FlowSpec:
    """A flow of one group."""
    group = GroupSpec(key="group", parallel=parallel, steps=steps)
    return FlowSpec(options=options or FlowOptions(), groups=[group])


_FLOWS: Final = (
    _flow(_PLAN),
    _flow(_PLAN, options=_WAITS),
    _flow(_PLAN, _PLAIN),
    _flow(_FRAGILE, _PLAIN, parallel=True),
    _flow(_FRAGILE, _PLAIN, parallel=True, options=_WAITS),
    _flow(_PLAN, _PLAIN, parallel=True),
    _flow(_FRAGILE, _PLAN, parallel=True, options=_WAITS),
    _flow(_PLAIN, _IN_GROUPS),
    _flow(StepSpec(key="skipped", skipped=True), _PLAIN),
    FlowSpec(groups=[_HURRIED, GroupSpec(key="later", steps=[StepSpec(key="last")])]),
    FlowSpec(),
)
_GENERATED: Final = (
    GroupSpec(key="made", steps=[_PLAN, _FRAGILE]),
    GroupSpec(key="later", steps=[StepSpec(key="last")]),
)


@cache
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
        check(spec, watched, alphabet=_alphabet(spec), theorems=(), max_states=MOST)
    return {
        kind: {pair: frozenset(causes) for pair, causes in sorted(pairs.items())}
        for kind, pairs in seen.items()
    }


def _alphabet(spec: FlowSpec) -> Alphabet:
    """All that may happen, but for what leads to no status of its own."""
    return evolve(
        full_alphabet(spec),
        judges_all=False,
        impostors=False,
        silent=False,
        strays=False,
        cancels_parts=False,
        suggestions=0,
        appended=(),
        generated=() if spec.groups else _GENERATED,
        operations=(*OPERATIONS, "retry-from-plan", "skip-along"),
    )


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
