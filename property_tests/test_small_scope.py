"""Over tiny flows nothing is left to chance: every sequence of events, up to a length.

The counts of the `dev` profile are pinned: a change of the rules, or of the menu of events,
shows in them.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from property_tests.profiles import PROFILE, by_profile
from property_tests.small_scope import Explored, explore
from property_tests.tally import REACHABLE

DEPTH: Final = by_profile(dev=4, ci=5, thorough=7)


def of_groups(*groups: GroupSpec, options: FlowOptions | None = None) -> FlowSpec:
    """A flow of these groups."""
    return FlowSpec(groups=groups, options=options or FlowOptions())


PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=5, stale_after_ms=9))
STALE: Final = StepSpec(key="p", approval=ApprovalSpec(stale_after_ms=0))
QUORUM: Final = StepSpec(
    key="q", approval=ApprovalSpec(required=2, approvers=("ana", "bo"), skip_scope="step")
)
GROUP_RETRY: Final = RetryPolicy(scope="group", max_auto_retries=1, backoff_ms=(5,), jitter=False)
A, B, C = (StepSpec(key=key) for key in "abc")
FRAIL: Final = StepSpec(key="a", retry=RetryPolicy(max_retries=1, max_auto_retries=1))

FLOWS: Final = {
    "plan and apply": of_groups(GroupSpec(key="g", steps=(PLAN, B))),
    "together": of_groups(GroupSpec(key="g", steps=(A, B), parallel=True, fail_fast=True)),
    "one at a time": of_groups(
        GroupSpec(key="g", steps=(A, QUORUM, B), parallel=True, max_parallel=1)
    ),
    "in two runs": of_groups(
        GroupSpec(key="g", steps=(A,)),
        GroupSpec(key="h", steps=(B,)),
        options=FlowOptions(continue_as_new_every=1),
    ),
    "parked": of_groups(
        GroupSpec(key="g", steps=(A, B, C)), options=FlowOptions(on_failure="await-retry")
    ),
    "retried": of_groups(GroupSpec(key="g", steps=(FRAIL, B), parallel=True)),
    "retried together": of_groups(
        GroupSpec(key="g", steps=(A, StepSpec(key="b", retry=GROUP_RETRY)))
    ),
    "forgiven": of_groups(
        GroupSpec(key="g", steps=(StepSpec(key="a", skip_on_failure=True), STALE))
    ),
    "generated": of_groups(),
}
PINNED: Final = {
    "plan and apply": (597, 2_797),
    "together": (1_443, 7_883),
    "one at a time": (741, 3_721),
    "in two runs": (480, 2_668),
    "parked": (522, 3_014),
    "retried": (1_277, 7_475),
    "retried together": (561, 2_857),
    "forgiven": (561, 3_036),
    "generated": (217, 1_056),
}
"""The states that `dev` enters, and the events that it sends in them."""


@pytest.fixture(scope="module")
def explored() -> dict[str, Explored]:
    """What was met of each flow."""
    return {name: explore(spec, DEPTH) for name, spec in FLOWS.items()}


@pytest.mark.skipif(PROFILE != "dev", reason="the counts are those of the profile dev")
def test_as_many_states_as_ever(explored: dict[str, Explored]) -> None:
    """Reducer and model agree on every short sequence, and there are as many as there were."""
    assert {name: (met.states, met.events) for name, met in explored.items()} == PINNED


def test_sometimes_every_status(explored: dict[str, Explored]) -> None:
    """A few events are enough to bring some tiny flow into every status."""
    statuses = sum((met.statuses for met in explored.values()), Counter[str]())
    assert set(statuses) == {
        "pending",
        "cancelling",
        "in-progress",
        "paused",
        "failed-pending-retry",
        "approval-awaiting",
        "success",
        "error",
        "cancelled",
    }


def test_every_verdict_is_known(explored: dict[str, Explored]) -> None:
    """No verdict is ever met that the rules do not name."""
    verdicts = sum((met.verdicts for met in explored.values()), Counter[str]())
    named = {verdict for verdicts in REACHABLE.values() for verdict in verdicts}
    assert set(verdicts) <= {"accepted", *named}
