"""On flows at random a search that forgets finds what one finds that forgets nothing."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
)
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import (
    THEOREMS,
    Alphabet,
    Checked,
    Property,
    check,
    leads_to,
    never,
    sometimes,
)
from conductor_core.checking.alphabet import (
    ALL_ENDINGS,
    ALL_OPERATIONS,
    FAIL,
    OK,
    RESPONSES,
)
from conductor_core.checking.properties import History
from conductor_core.checking.reductions import ALL, NONE, Reductions
from conductor_core.testing.brief import group
from property_tests.profiles import by_profile

MOST: Final = 600
"""So many states are told apart at most by a search that forgets nothing."""
RETRIES: Final = (
    RetryPolicy(),
    RetryPolicy(max_retries=0),
    RetryPolicy(max_retries=1, max_auto_retries=1),
    RetryPolicy(max_retries=1, max_auto_retries=1, scope="group", backoff_ms=()),
    RetryPolicy(max_retries=2, max_auto_retries=1, backoff_ms=(0, 5)),
)
APPROVALS: Final = (
    None,
    ApprovalSpec(),
    ApprovalSpec(timeout_ms=3, skip_scope="step"),
    ApprovalSpec(required=2, approvers=("ann", "bo")),
    ApprovalSpec(stale_after_ms=4),
)
RUNS: Final = History(
    0,
    lambda count, _before, event, _after: min(
        2, count + isinstance(event, events.RerunRequested | events.GroupRetryRequested)
    ),
)


def steps(**also: Any) -> st.SearchStrategy[StepSpec]:
    """A step with some of the choices that rules depend on."""
    rarely = st.sampled_from((False, False, False, True))
    return st.builds(
        StepSpec,
        key=st.just("a"),
        retry=st.sampled_from(RETRIES),
        approval=st.sampled_from(APPROVALS),
        skip_on_failure=rarely,
        timeout_ms=st.sampled_from((None, 3)),
        retryable=st.sampled_from((True, True, False)),
        skipped=rarely,
        **also,
    )


@st.composite
def flows(draw: st.DrawFn) -> FlowSpec:
    """A flow of at most three steps, many of them alike."""
    groups: list[GroupSpec] = []
    keys = iter("abc")
    before: list[str] = []
    for size in draw(st.sampled_from(((1,), (2,), (3,), (1, 1), (1, 2), (2, 1)))):
        one = draw(steps())
        members = [one if draw(st.booleans()) else draw(steps()) for _ in range(size)]
        named = [
            _named(member, next(keys), draw(st.sets(st.sampled_from(before))) if before else set())
            for member in members
        ]
        groups.append(
            GroupSpec(
                key=f"g{len(groups)}",
                steps=named,
                parallel=draw(st.booleans()),
                fail_fast=draw(st.booleans()),
                max_parallel=draw(st.sampled_from((None, None, 1))),
            )
        )
        before += [step.key for step in named]
    options = FlowOptions(
        on_failure=draw(st.sampled_from(("stop", "await-retry"))),
        continue_as_new_every=draw(st.sampled_from((None, None, 1))),
    )
    return FlowSpec(groups=groups, options=options)


def _named(step: StepSpec, key: str, needs: set[str]) -> StepSpec:
    return evolve(step, key=key, needs=sorted(needs))


@st.composite
def alphabets(draw: st.DrawFn) -> Alphabet:
    """An alphabet that is small in every respect, and different from all others."""

    def some(items: Any, most: int) -> Any:
        return draw(st.lists(st.sampled_from(items), unique=True, min_size=1, max_size=most))

    seldom = st.sampled_from((False, False, True))
    return Alphabet(
        endings=tuple(dict.fromkeys((OK, FAIL, *some(ALL_ENDINGS, 1)))),
        answers=some(RESPONSES, 3),
        operations=some(ALL_OPERATIONS, 2),
        starts=draw(seldom),
        cancels=draw(seldom),
        cancels_parts=draw(st.booleans()),
        pauses=draw(seldom),
        retry_now=draw(seldom),
        impostors=draw(seldom),
        suggestions=draw(st.sampled_from((0, 0, 1))),
        options=draw(st.sampled_from(((), ("approve-all",)))),
        reruns=draw(st.sampled_from((0, 1, 1))),
        replans=draw(st.sampled_from((0, 1))),
        judges_all=draw(seldom),
        appended=draw(st.sampled_from(((), (group("late", "z"),)))),
    )


CLAIMS: Final[tuple[Property, ...]] = (
    *THEOREMS,
    never("a fails twice", lambda state: state.live[0].retry == 1 and state.live[0].failed,
          about=("a",)),
    never("stopped", lambda state: state.stop is not None, about=()),
    sometimes("revived", lambda state, runs: runs == 1 and state.is_live and state.active > 0,
              history=RUNS, about=()),
    leads_to("a succeeds", lambda state: state.started,
             lambda state: state.live[0].status is AttemptStatus.SUCCESS, about=("a",)),
    leads_to("it ends", lambda state, runs: runs == 1, lambda state, _: state.outcome is not None,
             history=RUNS, about=()),
)  # fmt: skip


def found(spec: FlowSpec, alphabet: Alphabet, reductions: Reductions) -> Checked:
    """What a search finds that must not become too large."""
    checked = check(spec, *CLAIMS, alphabet=alphabet, theorems=(), reductions=reductions,
                    max_states=MOST)  # fmt: skip
    assume(checked.complete)
    return checked


@settings(
    max_examples=by_profile(dev=25, ci=500, thorough=5_000),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(flows(), alphabets())
def test_a_search_that_forgets_finds_the_same(spec: FlowSpec, alphabet: Alphabet) -> None:
    """Verdicts, ends and the lengths of stories are those of a search that tells all apart."""
    exact = found(spec, alphabet, NONE)
    reduced = found(spec, alphabet, ALL)
    assert reduced.outcomes == exact.outcomes
    assert [str(finding) for finding in reduced.findings] == [str(f) for f in exact.findings]
    for one, other in zip(reduced.findings, exact.findings, strict=True):
        assert (one.story is None) == (other.story is None)
        if one.story is not None and other.story is not None:
            assert len(one.story.events) == len(other.story.events)
