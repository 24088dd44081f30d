"""What may happen: which alphabet reaches what, and how it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import pytest
from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
)
from conductor_core.checking import (
    Alphabet,
    check,
    decode_checks,
    default_alphabet,
    full_alphabet,
    never,
    sometimes,
)
from conductor_core.checking.alphabet import (
    ALL_ENDINGS,
    BY_NAME,
    DENIED,
    DIRECTED,
    FAIL,
    OK,
    PASSED,
    POINTLESS,
    TERMINAL,
    UNEVALUATED,
    Ending,
    directed,
)
from conductor_core.checking.defaults import GENERATED, WIDE
from conductor_core.codec import EVENTS
from conductor_core.events import Event, StepError
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted, Ignored, Rejected
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, fleet, plan

PICKY: Final = flow(
    group("g", plan("a", retryable=False, skippable=False, retry=ONCE), "b", parallel=True)
)
QUORUM: Final = flow(group("g", plan(approval=ApprovalSpec(required=2, approvers=("ann", "bo")))))
TWO_GROUPS: Final = flow(group("g", StepSpec(key="a", retry=ONCE)), group("h", "b"))
PARKED: Final = flow(group("g", "a", "b"), options=AWAIT_RETRY)
THREE_AT_ONCE: Final = flow(group("g", "a", "b", plan("c", retryable=False), parallel=True))
NOTHING_LEFT: Final = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_retries=0))))
BRIEF: Final = (OK, FAIL, TERMINAL)

MOST: Final = 700
"""So many states are enough to meet everything."""
NEVER_SENT: Final = {"duplicate-request"}
"""No alphabet has ids of requests (`alphabet` says why)."""
IGNORED: Final = {
    *("no-change", "stale-attempt", "unknown-attempt", "stale-timer"),
    *("stale-incarnation", "already-started", "duplicate-request"),
}
REJECTED: Final = {
    *("not-started", "flow-finished", "flow-cancelled", "unknown-step", "unknown-group"),
    *("not-awaiting-approval", "not-an-approver", "subject-mismatch", "already-responded"),
    *("not-skippable", "retries-exhausted", "unknown-response", "unknown-option"),
    *("already-finished", "flow-mismatch", "invalid-continue-index", "not-waiting"),
    *("duplicate-key", "invalid-groups", "invalid-operation", "stale-attempt", "not-failed"),
    *("group-running", "not-retryable", "terminal-error", "blocked-by", "invalid-replan-step"),
}
"""Every reason and code of section 4, 8, 9, 10, 11."""


def met(searches: Iterable[tuple[FlowSpec, Alphabet]]) -> tuple[set[str], set[str], set[str]]:
    """The kinds of events that were accepted, and the reasons and codes that were given."""
    accepted, ignored, rejected = set[str](), set[str](), set[str]()
    tags = {event: tag for tag, event in EVENTS.items()}

    def note(_: FlowState, event: Event, after: Transition) -> bool:
        match after.verdict:
            case Ignored(reason=reason):
                ignored.add(reason)
            case Rejected(code=code):
                rejected.add(code)
            case _:
                accepted.add(tags[type(event)])
        return False

    for spec, alphabet in searches:
        claim = never("noted", transition=note, about=())
        check(spec, claim, alphabet=alphabet, theorems=(), max_states=MOST)
    return accepted, ignored, rejected


def test_the_full_alphabet_reaches_every_event_and_every_verdict() -> None:
    """All event types come to count somewhere, and every reason for which one does not is met."""
    flows = (QUORUM, TWO_GROUPS, PARKED, NOTHING_LEFT)
    searches = [(spec, evolve(full_alphabet(spec), endings=BRIEF)) for spec in flows]
    calm = evolve(full_alphabet(PICKY), endings=BRIEF, pauses=False, options=(), suggestions=0)
    searches += [(PICKY, calm), (THREE_AT_ONCE, evolve(calm, appended=()))]
    searches += [(flow(), evolve(full_alphabet(flow()), endings=BRIEF, pauses=False))]
    accepted, ignored, rejected = met(searches)
    assert accepted == set(EVENTS)
    assert IGNORED - ignored == NEVER_SENT
    assert rejected - REJECTED == set()
    assert REJECTED - rejected == set()


@pytest.mark.parametrize(
    ("spec", "alphabet", "missing"),
    [
        (
            DEPLOY,
            Alphabet(),
            {
                *("groups-generated", "generation-failed", "step-started"),
                *("continue-as-new-suggested", "continued-as-new"),
                *("approval-option-changed", "retry-now-requested", "append-requested"),
            },
        ),
        (
            DEPLOY,
            default_alphabet(DEPLOY),
            {
                *("groups-generated", "generation-failed"),
                *("approval-option-changed", "retry-now-requested", "append-requested"),
            },
        ),
        (
            flow(),
            default_alphabet(flow()),
            {"approval-option-changed", "retry-now-requested", "append-requested"},
        ),
    ],
    ids=["plain", "default", "default of a flow that generates"],
)
def test_what_an_alphabet_does_not_reach(
    spec: FlowSpec, alphabet: Alphabet, missing: set[str]
) -> None:
    """The plain alphabet leaves rare events out, the default only those that people choose."""
    accepted, _, _ = met([(spec, alphabet)])
    assert set(EVENTS) - accepted == missing


def test_the_default_suits_the_flow() -> None:
    """Endings are tried where they matter, and many siblings leave no room for suggestions."""
    assert [e.name for e in default_alphabet(flow(group("g", "a"))).endings] == [
        *("ok", "fail", "cancelled"),
    ]
    waved = plan(approval=ApprovalSpec(auto_approve_on_policy_pass=True), skip_if_noop=True)
    assert [e.name for e in default_alphabet(flow(group("g", waved))).endings] == [
        *("ok", "fail", "cancelled", "no-op", "policy deny", "policy pass", "policy unevaluated"),
    ]
    by_option = flow(group("g", plan()), options=FlowOptions(approval="approve-all"))
    assert UNEVALUATED in default_alphabet(by_option).endings
    assert UNEVALUATED not in default_alphabet(DEPLOY).endings
    assert default_alphabet(fleet(WIDE)).suggestions == 1
    assert default_alphabet(fleet(WIDE + 1)).suggestions == 0
    assert default_alphabet(DEPLOY).generated == ()
    assert default_alphabet(flow()).generated == GENERATED


@pytest.mark.parametrize("spec", [DEPLOY, flow()], ids=["deploy", "generated"])
def test_the_default_search_is_good_and_complete(spec: FlowSpec) -> None:
    """Every theorem holds of what the default alphabet lets happen."""
    checked = check(spec, alphabet=default_alphabet(spec))
    assert checked.complete
    assert checked.is_good, str(checked)
    assert ("success", None) in checked.outcomes


def test_an_alphabet_is_data_that_reads_back() -> None:
    """The bounds of a certificate can be given to a search again."""
    odd = Ending(name="odd", outcome="failed", error=StepError(message="odd", terminal=True))
    for spec in (DEPLOY, flow()):
        for alphabet in (Alphabet(), default_alphabet(spec), full_alphabet(spec)):
            told = evolve(alphabet, endings=(*alphabet.endings, odd))
            data = json.loads(json.dumps(told.as_data()))
            read = decode_checks({"format": "conductor-checks/1", "alphabet": data}, spec=spec)
            assert read.alphabet == told


def test_an_alphabet_tells_all_its_bounds() -> None:
    """Every field of an alphabet that is changed changes what is told."""
    plain = Alphabet()
    changes: dict[str, Any] = {
        **dict.fromkeys(("judges_all", "starts", "silent", "retry_now", "strays"), True),
        **dict.fromkeys(("timers", "stale", "impostors", "cancels", "pauses"), False),
        **dict.fromkeys(("reruns", "replans", "suggestions"), 7),
        **dict.fromkeys(("answers", "operations"), ()),
        **dict.fromkeys(("generated", "appended"), GENERATED),
        "cancels_parts": True,
        "generation_fails": False,
        "options": ("prompt",),
        "endings": (OK,),
    }
    assert changes.keys() == plain.as_data().keys()
    for name, value in changes.items():
        assert str(evolve(plain, **{name: value})) != str(plain), name


def test_of_a_flow_only_what_can_happen_to_it_is_told() -> None:
    """What nobody asks for, and groups that nobody generates, are no bounds of a flow."""
    plain, stale = flow(group("g", "a")), plan(approval=ApprovalSpec(stale_after_ms=9))
    told = {name for name, _ in Alphabet().told()}
    of_approvals = {
        "approvals are answered",
        "approvals come too late",
        "answers that must not count",
        "approvals that name no subject",
        "people have a plan made again",
    }
    of_generation = {"groups that are generated", "generation fails"}
    assert told - {name for name, _ in Alphabet().told(plain)} == of_approvals | of_generation
    late = {"approvals come too late"}
    assert told - {name for name, _ in Alphabet().told(DEPLOY)} == of_generation | late
    assert told - {name for name, _ in Alphabet().told(flow(group("g", stale)))} == of_generation
    asking = Alphabet(endings=(directed("await-approval"),))
    assert told - {name for name, _ in asking.told(plain)} == of_generation | late
    all_of_it = Alphabet(generated=[group("g", stale)]).told(flow())
    assert {name for name, _ in all_of_it} == told


def test_what_never_happens_has_no_number() -> None:
    """Nothing is told to happen at most so often that does not happen."""
    never = dict(Alphabet(operations=(), replans=0, reruns=3).told())
    assert never["people rerun what failed"] == "none"
    assert never["approvals come too late"] == "no"
    assert dict(Alphabet(reruns=0).told())["people rerun what failed"] == "no"


def test_every_ending_has_a_name_of_its_own() -> None:
    """All directives of section 6 are there with success and with failure, and one that is none."""
    assert len(BY_NAME) == len(ALL_ENDINGS)
    assert len(DIRECTED) == 16
    assert {"ok, await-approval", "fail, retry-group", "ok, wander-off"} <= BY_NAME.keys()


def test_policies_may_judge_all_work() -> None:
    """A deny stops a step that nobody approves, if policies judge everything."""
    bare = StepSpec(key="a")
    for judges_all, expected in ((False, [OK]), (True, [OK, DENIED])):
        alphabet = Alphabet(endings=(OK, DENIED, PASSED, UNEVALUATED), judges_all=judges_all)
        assert list(alphabet.endings_of(bare)) == expected
        outcomes = check(flow(group("g", bare)), alphabet=alphabet).outcomes
        assert (("error", "policy-denied") in outcomes) is judges_all


def test_a_pointless_retry_is_not_made() -> None:
    """Work that fails with a non_retryable error ends without its retries."""
    spec = flow(group("g", StepSpec(key="a", retry=ONCE)))
    alone = Alphabet(endings=(POINTLESS,), operations=(), cancels=False, pauses=False)
    assert check(spec, alphabet=alone).outcomes == {("error", "failed")}
    assert check(spec, alphabet=evolve(alone, endings=(FAIL,))).outcomes == {
        ("error", "retries-exhausted")
    }


def test_an_approval_may_name_no_subject() -> None:
    """Approvals that name no subject count, unless the gate demands that they name one."""
    silent = Alphabet(silent=True)
    assert check(DEPLOY, alphabet=silent).is_good
    said_nothing = sometimes(
        "no subject",
        transition=lambda _, event, after: (
            isinstance(event, events.ApprovalResponded)
            and event.subject is None
            and after.verdict == Accepted()
        ),
        about=(),
    )
    assert check(DEPLOY, said_nothing, alphabet=silent).is_good
    assert not check(DEPLOY, said_nothing).is_good


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answers": ("aprove",)}, "answers[0]: unknown answer 'aprove' (perhaps 'approve'?)"),
        ({"operations": ("x",)}, "operations[0]: unknown operation 'x', expected one of retry-st"),
        ({"options": ("prompt", "all")}, "options[1]: unknown option 'all', expected one of pro"),
        ({"answers": ("deny", "deny")}, "answers[1]: 'deny' is given twice"),
        ({"endings": ("okk",)}, "endings[0]: expected one of type Ending, got 'okk'"),
        ({"generated": ("g",)}, "generated[0]: expected one of type GroupSpec, got 'g'"),
        ({"appended": (OK,)}, "appended[0]: expected one of type GroupSpec, got Ending("),
        ({"reruns": -1}, "reruns: expected an integer of at least 0, got -1"),
        ({"replans": 1.5}, "replans: expected an integer of at least 0, got 1.5"),
        ({"suggestions": True}, "suggestions: expected an integer of at least 0, got True"),
        ({"pauses": "no"}, "pauses: expected True or False, got 'no'"),
    ],
)
def test_what_an_alphabet_cannot_say_is_refused(fields: dict[str, Any], told: str) -> None:
    """A word that does not exist would only make a search look wider than it is."""
    with pytest.raises(ValueError, match=re.escape(told)):
        Alphabet(**fields)
    with pytest.raises(ValueError, match=re.escape(told)):
        evolve(Alphabet(), **fields)
