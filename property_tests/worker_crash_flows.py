"""The flows whose workers and people are killed, and how each of them ends.

Rule: a flow is told by its number alone, so that whoever comes next, in whichever process,
starts the same one and asks the same of it.
"""

from __future__ import annotations

from typing import Final

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.spec import RetryPolicy

CANCELLED: Final = 4
"""Every so manieth flow is cancelled in its middle."""
GENERATED: Final = 2
"""Every so manieth flow has its groups made by a generator."""
PAUSED: Final = 3
"""Every so manieth flow is paused and goes on."""
STUCK: Final = 5
"""Every so manieth flow fails in its last step, and is retried by a person."""
MADE: Final = "made"
"""The type of a flow whose groups a generator makes."""
TOO_LATE_MS: Final = 300
"""So long the flow waits for work that does not end by itself."""


def groups_of(too_late_ms: int) -> tuple[GroupSpec, ...]:
    """What a flow does that waits so long for work that does not end by itself."""
    return (
        GroupSpec(
            key="first",
            steps=[
                StepSpec(key="plan", work="sleep", approval=ApprovalSpec()),
                StepSpec(key="apply", work="thread", needs=["plan"]),
                StepSpec(
                    key="once",
                    work="sleep",
                    on_recovery="fail",
                    retryable=False,
                    skip_on_failure=True,
                    retry=RetryPolicy(max_auto_retries=0),
                ),
            ],
        ),
        GroupSpec(
            key="wide",
            parallel=True,
            max_parallel=3,
            steps=[
                StepSpec(key="a", work="sleep", timeout_ms=600_000),
                StepSpec(key="b", work="thread"),
                StepSpec(
                    key="c", work="fail", retry=RetryPolicy(max_auto_retries=9, backoff_ms=(20,))
                ),
                StepSpec(key="d", work="nothing"),
                StepSpec(
                    key="late",
                    work="late",
                    timeout_ms=too_late_ms,
                    retry=RetryPolicy(max_retries=1_000, max_auto_retries=1_000, backoff_ms=(20,)),
                ),
            ],
        ),
        GroupSpec(key="last", steps=[StepSpec(key="publish", work="last")]),
    )


def name_of(number: int) -> str:
    """The id of a flow."""
    return f"f{number}"


def number_of(name: str) -> int:
    """The number of a flow, by its id."""
    return int(name.removeprefix("f"))


def ran(name: str) -> str:
    """The file in which stands what was begun and ended of a flow."""
    return f"ran.{name}"


def every(count: int, number: int) -> bool:
    """Whether a flow is one of every so many."""
    return number % count == 0


def spec_of(number: int, *, too_late_ms: int = TOO_LATE_MS) -> FlowSpec:
    """What a flow does; every other one continues as new after each group."""
    generated = every(GENERATED, number)
    return FlowSpec(
        type=MADE if generated else "flow",
        groups=() if generated else groups_of(too_late_ms),
        options=FlowOptions(continue_as_new_every=1 if number % 4 in (1, 2) else None),
        metadata={"stuck": every(STUCK, number)},
    )


def ended_well(state: FlowState) -> bool:
    """Whether a flow ended as one that was left alone, in whichever way the crashes allow."""
    number = number_of(state.flow_id)
    if state.outcome is None:
        return False
    if state.outcome.status == "cancelled":
        return every(CANCELLED, number)
    return state.outcome.status == "success" and steps_ended_well(tries_of(state), number)


def tries_of(state: FlowState) -> dict[str, list[str]]:
    """The statuses of all attempts, by step, in their order."""
    tries: dict[str, list[str]] = {}
    for attempt in state.attempts():
        tries.setdefault(attempt.id.rpartition("#")[0], []).append(attempt.status.value)
    return tries


def steps_ended_well(tries: dict[str, list[str]], number: int) -> bool:
    """Whether each step has the attempts that it must have, and no others."""
    expected = {key: ["success"] for key in ("plan", "apply", "a", "b", "d", "publish")}
    expected["c"] = ["error", "success"]
    if every(STUCK, number):
        expected["publish"] = ["discarded", "success"]
    # How often work came too late, and whether what must not run twice was interrupted, differs.
    late, once = tries.pop("late"), tries.pop("once")
    came_late = len(late) > 1 and late == ["error"] * (len(late) - 1) + ["success"]
    return tries == expected and came_late and once in (["success"], ["error"])
