"""What a search forgets: never anything that makes a difference to what may come.

Each flow here is searched without any reduction, which tells every two states apart, and
then it is looked at whether states with one key lead to the same keys, event by event. That
is more than equal findings: it is what the reductions claim.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import pytest
from attrs import evolve, fields

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, RetryPolicy, StepSpec, initial_state
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import (
    THEOREMS,
    Alphabet,
    Ending,
    Reductions,
    check,
    directed,
    never,
    sometimes,
)
from conductor_core.checking import canonical as canonical_module
from conductor_core.checking.alphabet import FAIL, NOTHING_SPENT, OK, TERMINAL, UNEVALUATED, Spent
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.gate import in_order
from conductor_core.checking.moves import moves
from conductor_core.checking.properties import Invariant
from conductor_core.checking.reductions import ALL, NONE, waits_alike
from conductor_core.events import StepError
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import reduce
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.checking.flows import AWAIT_RETRY, DEPLOY, NEVER, ONCE, TOGETHER, fleet, plan

Place = tuple[FlowState, Spent]

BRIEF: Final = Alphabet(endings=(OK, FAIL), answers=("approve", "deny"), pauses=False)
TWINS: Final = [StepSpec(key=key, retry=ONCE) for key in ("a", "b")]
LATER: Final = Ending(
    name="fail, later", outcome="failed", error=StepError(message="failed", retry_after_ms=1)
)
EXAMPLES: Final[dict[str, tuple[FlowSpec, Alphabet]]] = {
    "deploy": (DEPLOY, Alphabet(pauses=False)),
    "stale": (
        flow(group("g", plan(approval=ApprovalSpec(timeout_ms=5, stale_after_ms=9)), "b")),
        evolve(BRIEF, cancels=False),
    ),
    "quorum": (
        flow(group("g", plan(approval=ApprovalSpec(required=2, approvers=("ann", "bo"))), "b")),
        evolve(BRIEF, cancels=False),
    ),
    "twins": (
        flow(group("g", *TWINS, parallel=True), group("h", StepSpec(key="c", needs=["a"]))),
        evolve(BRIEF, cancels=False),
    ),
    "twins that fail fast": (
        flow(group("g", "a", "b", "c", parallel=True, fail_fast=True)),
        evolve(BRIEF, cancels=False, operations=("retry-step",)),
    ),
    "twins with a watch": (
        flow(group("g", *(evolve(s, timeout_ms=3, retry=NEVER) for s in TWINS), parallel=True)),
        BRIEF,
    ),
    "twins one at a time": (
        flow(group("g", *TWINS, parallel=True, max_parallel=1)),
        evolve(BRIEF, cancels=False),
    ),
    "plans side by side": (
        flow(group("g", plan("a"), plan("b"), parallel=True)),
        evolve(BRIEF, cancels=False),
    ),
    "applies behind plans of their own": (
        flow(
            group("p", plan("a"), plan("b")),
            group("g", *(StepSpec(key=k, needs=[n]) for k, n in ("ca", "db")), parallel=True),
        ),
        evolve(BRIEF, cancels=False, answers=("approve", "skip-current")),
    ),
    "retried together": (
        flow(group("g", "a", StepSpec(key="b", retry=TOGETHER), parallel=True)),
        evolve(BRIEF, endings=(OK, FAIL, TERMINAL)),
    ),
    "retried together, after a wait or at once": (
        flow(group("g", "a", StepSpec(key="b", retry=TOGETHER), parallel=True)),
        evolve(BRIEF, endings=(OK, FAIL, LATER)),
    ),
    "parked": (
        flow(group("g", "a", "b", parallel=True), options=AWAIT_RETRY),
        evolve(BRIEF, retry_now=True),
    ),
    "retried from an earlier one that stands beside it": (
        flow(group("g", "a", plan("b"), parallel=True), options=AWAIT_RETRY),
        evolve(BRIEF, cancels=False, operations=("retry-from-plan",)),
    ),
    "twins that are retried from one another": (
        flow(group("g", *TWINS, parallel=True)),
        evolve(BRIEF, cancels=False, operations=("retry-from-plan",)),
    ),
    "forgiven": (
        flow(group("g", plan("a", skip_on_failure=True), "b")),
        evolve(BRIEF, pauses=True),
    ),
    "directed": (
        flow(group("g", "a", StepSpec(key="b", retry=ONCE))),
        evolve(
            BRIEF,
            cancels=False,
            endings=(
                OK,
                FAIL,
                *map(directed, ("stop", "skip-group", "await-approval")),
                directed("await-retry", failed=True),
            ),
        ),
    ),
    "unevaluated": (
        flow(group("g", plan("a"), "b"), options=FlowOptions(approval="approve-all")),
        evolve(BRIEF, endings=(OK, UNEVALUATED), options=("prompt", "approve-all")),
    ),
    "in two runs": (
        flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1)),
        evolve(BRIEF, suggestions=1, starts=True),
    ),
    "generated": (
        flow(),
        evolve(BRIEF, generated=(group("g", "a"),), appended=(group("h", "b"),)),
    ),
    "some waits": (
        flow(
            group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=2, backoff_ms=(0, 1))))
        ),
        BRIEF,
    ),
}
NAMES: Final = tuple(field.name for field in fields(Reductions) if field.name != "times")
STANDS_ON: Final = {
    "siblings": ("settled", "names"),
    "finished": ("settled", "superseded"),
    "counters": ("settled", "superseded", "finished"),
}
EACH_OFF: Final = {name: evolve(ALL, **{name: False}) for name in NAMES}
EACH_ON: Final = {
    name: evolve(NONE, **dict.fromkeys(("times", name, *STANDS_ON.get(name, ())), True))
    for name in NAMES
}


def canonical(spec: FlowSpec, alphabet: Alphabet, reductions: Reductions) -> Canonical:
    """The keys of a flow's states, for the theorems."""
    (invariant,) = (theorem for theorem in THEOREMS if theorem.name == "the gate")
    assert isinstance(invariant, Invariant)
    assert invariant.memory is not None
    return Canonical(
        spec,
        alphabet,
        reductions,
        memory=invariant.memory,
        settled_memory=invariant.settled_memory,
    )


def successors(place: Place, alphabet: Alphabet) -> list[Place]:
    """Every place that some accepted event leads to."""
    state, spent = place
    sent = moves(alphabet, state, spent, state.span)
    after = [(reduce(state, move.event), move.spent) for move in sent]
    return [(t.state, spent) for t, spent in after if t.verdict is ACCEPTED]


def all_places(spec: FlowSpec, alphabet: Alphabet) -> dict[Place, list[Place]]:
    """Every place that a flow can reach, told apart exactly, with those it leads to."""
    start = (initial_state(spec, "flow"), NOTHING_SPENT)
    found: dict[Place, list[Place]] = {start: []}
    todo = [start]
    while todo:
        place = todo.pop()
        found[place] = successors(place, alphabet)
        for after in found[place]:
            if after not in found:
                found[after] = []
                todo.append(after)
    return found


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", EXAMPLES)
def test_equal_keys_have_equal_futures(name: str) -> None:
    """States with one key lead to the same keys, under every reduction alone and under all."""
    spec, alphabet = EXAMPLES[name]
    places = all_places(spec, alphabet)
    for reductions in (ALL, *EACH_OFF.values(), *EACH_ON.values()):
        key = canonical(spec, alphabet, reductions).key
        keys = {place: key(*place) for place in places}
        futures: dict[Hashable, frozenset[Hashable]] = {}
        for place, after in places.items():
            # An event that changes nothing but what is forgotten may be missing elsewhere.
            future = frozenset(keys[one] for one in (place, *after))
            assert futures.setdefault(keys[place], future) == future, reductions
        checked = check(spec, alphabet=alphabet, reductions=reductions)
        assert checked.states == len(futures)


@pytest.mark.parametrize("name", EXAMPLES)
def test_reductions_change_no_finding(name: str) -> None:
    """A search that forgets finds the same outcomes and answers as one that does not."""
    spec, alphabet = EXAMPLES[name]
    exact = check(spec, alphabet=alphabet, reductions=NONE)
    reduced = check(spec, alphabet=alphabet)
    assert reduced.states < exact.states
    assert reduced.outcomes == exact.outcomes
    assert [str(f) for f in reduced.findings] == [str(f) for f in exact.findings]
    assert reduced.is_good
    assert len(reduced.findings) == len(THEOREMS)


def test_a_wait_by_chance_keeps_the_number_of_its_attempt() -> None:
    """Whether 1 ms with jitter is waited depends on the name of an attempt (S2.2)."""
    chance = RetryPolicy(max_retries=3, max_auto_retries=1, backoff_ms=(1,))
    whole = RetryPolicy(max_retries=3)
    spec = flow(group("g", StepSpec(key="a", retry=chance), StepSpec(key="b", retry=whole)))
    waits = sometimes(
        "a waits once more",
        lambda state: (
            state.live[0].status is AttemptStatus.WAITING_TO_RETRY
            and (state.live[0].generation, state.live[0].retry) == (2, 1)
        ),
        about=("a",),
    )
    alphabet = evolve(BRIEF, cancels=False, reruns=2)
    exact, reduced = (
        check(spec, waits, alphabet=alphabet, theorems=(), reductions=reductions).findings
        for reductions in (NONE, ALL)
    )
    assert [finding.found for finding in exact] == [finding.found for finding in reduced]
    assert exact[0].found == "met"


def test_a_claim_that_looks_anywhere_sees_whose_stop_it_was() -> None:
    """Two failures at once end a flow alike, but for the step that is named."""
    spec = flow(group("g", *(StepSpec(key=k, retry=NEVER) for k in "ab"), parallel=True))
    claim = never(
        "b stopped it, and a failed",
        lambda state: (
            state.outcome is not None
            and state.outcome.step == "b#1"
            and state.live[0].status is AttemptStatus.ERROR
        ),
    )
    checked = check(spec, claim, alphabet=evolve(BRIEF, cancels=False), theorems=())
    assert checked.findings[0].found == "violated"


def states_of(spec: FlowSpec, alphabet: Alphabet, reductions: Reductions) -> int:
    """How many states a search tells apart."""
    return check(spec, alphabet=alphabet, reductions=reductions).states


@pytest.mark.parametrize("name", sorted(EACH_OFF))
def test_every_reduction_is_of_use(name: str) -> None:
    """Without any one of them more states are told apart, in some flow."""
    off = EACH_OFF[name]
    assert any(
        states_of(*EXAMPLES[example], off) > states_of(*EXAMPLES[example], ALL)
        for example in ("deploy", "twins", "in two runs", "stale")
    )


def test_settled_groups_add_up() -> None:
    """A group more adds as many states as the one before it: what is settled is forgotten."""
    one, two, three = (states_of(fleet(n), BRIEF, ALL) for n in (1, 2, 3))
    assert one < two < three < 4 * one


def test_attempts_that_are_forgotten_get_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an attempt is decides its number, whether or not it is still known by its place."""
    before = states_of(*EXAMPLES["parked"], ALL)
    monkeypatch.setattr(canonical_module, "MOST_KNOWN", 2)
    assert states_of(*EXAMPLES["parked"], ALL) == before


def test_waits_of_a_millisecond_are_not_alike() -> None:
    """With jitter a wait of 1 ms may be none, so that every retry is told apart."""
    assert waits_alike(RetryPolicy())
    assert not waits_alike(RetryPolicy(backoff_ms=(1,)))
    assert waits_alike(RetryPolicy(backoff_ms=(1,), jitter=False))
    assert not waits_alike(RetryPolicy(backoff_ms=(0, 5)))


def test_named_steps_have_no_twin() -> None:
    """A step that a property names stands for itself alone."""
    spec, alphabet = EXAMPLES["twins"]
    unnamed = Canonical(spec, alphabet, ALL, memory=in_order)
    named = Canonical(spec, alphabet, ALL, memory=in_order, named=("a", "unknown"))
    state = reduce(initial_state(spec, "flow"), next(iter(moves(
        alphabet, initial_state(spec, "flow"), NOTHING_SPENT, ()))).event).state  # fmt: skip
    assert unnamed.one_of_each(state, NOTHING_SPENT) == (0,)
    assert named.one_of_each(state, NOTHING_SPENT) == range(2)
    assert unnamed.key(state, NOTHING_SPENT) != named.key(state, NOTHING_SPENT)
