"""The flows on Temporal whose workers, people and server are killed, and how each of them ends.

Rule: a flow is told by its number alone, as those of `worker_crash_flows` are; to what they do
come a group that is retried as a whole, work that the worker of the flow does itself, and groups
that a person retries.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_core import FlowOptions, FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.spec import RetryPolicy
from property_tests.worker_crash_flows import (
    CANCELLED,
    GENERATED,
    MADE,
    STUCK,
    every,
    number_of,
    steps_ended_well,
    tries_of,
)
from property_tests.worker_crash_flows import groups_of as groups_everywhere

TOO_LATE_MS: Final = 1_000
"""Work may wait its turn for a worker; so long the flow waits for what does not end by itself."""
BY_GROUP: Final = 2
"""Every so manieth flow that is stuck is retried by its group."""
LONG: Final = "long"
"""The work of what must not run twice: long enough to be met by a kill."""
AGAIN: Final = GroupSpec(
    key="again",
    parallel=True,
    steps=[
        StepSpec(key="beside", work="nothing"),
        StepSpec(
            key="failing",
            work="fail",
            retry=RetryPolicy(max_auto_retries=9, scope="group", backoff_ms=(20,)),
        ),
        StepSpec(key="here", work="nothing", metadata={"host": {"temporal": {"local": True}}}),
    ],
)
AGAIN_TRIES: Final = {
    "beside": ["success", "success"],
    "failing": ["error", "success"],
    "here": ["success", "success"],
}


def groups_of(too_late_ms: int = TOO_LATE_MS) -> tuple[GroupSpec, ...]:
    """What a flow does."""
    first, *others, last = groups_everywhere(too_late_ms)
    steps = [evolve(it, work=LONG) if it.on_recovery == "fail" else it for it in first.steps]
    return (evolve(first, steps=steps), *others, AGAIN, last)


def spec_of(number: int) -> FlowSpec:
    """What a flow does; every other one continues as new after each group."""
    generated = every(GENERATED, number)
    return FlowSpec(
        type=MADE if generated else "flow",
        groups=() if generated else groups_of(),
        options=FlowOptions(continue_as_new_every=1 if number % 4 in (1, 2) else None),
        metadata={"stuck": every(STUCK, number)},
    )


def is_retried_by_group(number: int) -> bool:
    """Whether a person who retries the last step of a flow does so by its group."""
    return every(STUCK * BY_GROUP, number)


def ended_well(state: FlowState) -> bool:
    """Whether a flow ended as one that was left alone, in whichever way the crashes allow."""
    number = number_of(state.flow_id)
    if state.outcome is None:
        return False
    if state.outcome.status == "cancelled":
        return every(CANCELLED, number)
    tries = tries_of(state)
    again = {key: tries.pop(key, []) for key in AGAIN_TRIES}
    return (
        state.outcome.status == "success"
        and again == AGAIN_TRIES
        and steps_ended_well(tries, number)
    )
