"""Twins in another order: what an answer for one and its dependents does depends on it.

Rule: siblings that are alike may stand for one another, and a key says only how many there
are of each kind. One answer looks at their order: `skip-current-and-dependents` skips the
unfinished siblings behind the one that is answered, and the stop that follows sweeps those
before it (S8.10). So that answer is tried for every number of siblings of each kind that may
stand behind, on the state with its twins arranged accordingly.

Why each arrangement can be reached. Let L be the members of the group but those that a person
skipped. The claim is that whenever a key is reached, each order of the kinds of L is, by events
that lead through the same keys. At first all are pending, so that all orders are one. Every
other event acts on a member for what it is, or on all; so what it does to one order it does
to any other. By the answer itself, let c be the answered one, and D those that are skipped
behind it. Before it, by the claim, the others can stand in any order in front of c and D
behind; then exactly D is skipped, and the others are what is left of L, in any order. Only a
retry of the whole group brings back what a person skipped, and then all are alike again.

Whoever tells of a run must find the twins that it was about: `explored.Explored.runs`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from typing import Final

from attrs import evolve

from conductor_core.state import FlowState
from conductor_core.vector import Vector

SKIP_DEPENDENTS: Final = "skip-current-and-dependents"


def arrangements(state: FlowState, kinds: Sequence[Hashable]) -> Iterator[tuple[FlowState, int]]:
    """Every arrangement of twins that the answer tells apart, and where the answered one stands.

    `kinds` are those of the members of the current group, all of which are alike.
    """
    still_open: dict[Hashable, list[int]] = {}
    for position, attempt, kind in zip(state.span, state.current_attempts(), kinds, strict=True):
        if attempt.unfinished and not attempt.active:
            still_open.setdefault(kind, []).append(position)
    for answered in [twins[0] for twins in still_open.values()]:
        if not state.live[answered].awaiting:
            continue
        siblings = [[p for p in twins if p != answered] for twins in still_open.values()]
        for counts in product(*(range(len(twins) + 1) for twins in siblings)):
            behind = [p for n, twins in zip(counts, siblings, strict=True) for p in twins[:n]]
            before = [p for p in state.span if p != answered and p not in behind]
            yield arranged(state, [*before, answered, *behind]), state.span.start + len(before)


def arranged(state: FlowState, order: Sequence[int]) -> FlowState:
    """The state in which each member of the current group stands where another stood."""
    steps, live, superseded, pending = (
        state.catalog.steps,
        state.live,
        state.superseded,
        state.pending,
    )
    for position, source in zip(state.span, order, strict=True):
        key = steps[position].key
        attempt = evolve(state.live[source], step=key)
        live = live.set(position, attempt)
        earlier = Vector(evolve(one, step=key) for one in state.superseded[source])
        superseded = superseded.set(position, earlier)
        is_pending = source in state.pending.within(range(source, source + 1))
        pending = pending.add(position) if is_pending else pending.remove(position)
    retrying = state.retrying
    if retrying is not None:
        retrying = state.span.start + list(order).index(retrying)
    return evolve(state, live=live, superseded=superseded, pending=pending, retrying=retrying)
