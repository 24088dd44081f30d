"""What people may ask of a flow now, in words they can act on.

Rule: what may be asked is what `legal_requests` finds; here are only the words, and
requests that differ in nothing but what they are about share a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, assert_never

from conductor_core import events
from conductor_core.events import Event, Request, is_request
from conductor_core.outlook import skips_its_group
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState

SHOWN: Final = 5
"""So many steps are named in a line; `explain` itself does not name them all."""

Words: TypeAlias = tuple[str, str, str]
"""What stands before the subject, the subject, and what stands behind it."""


def told_requests(state: FlowState, legal: Iterable[Event]) -> Iterator[str]:
    """Say what may be asked, a line for each kind of request."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for event in legal:
        if is_request(event):
            before, subject, after = words_of(state, event)
            subjects.setdefault((before, after), []).append(subject)
    for (before, after), named in subjects.items():
        yield f"{before}{_listed(named)}{after}"


def words_of(state: FlowState, request: Request) -> Words:
    """Tell one request."""
    match request:
        case events.ApprovalResponded(step=step, response=response):
            return _answer(_step(state, step), response)
        case events.RerunRequested():
            return _rerun(state, request)
        case events.GroupRetryRequested(group=group):
            return "retry the whole group ", group, ""
        case events.RetryNowRequested(step=step):
            return "retry ", step, " now, without the rest of its wait"
        case events.ApprovalOptionChanged(option="approve-all"):
            return "take every plan as approved, open ones too (approve-all)", "", ""
        case events.ApprovalOptionChanged():
            return "have people asked for approvals again (prompt)", "", ""
        case events.PauseRequested():
            return "pause the flow: what runs goes on, nothing new starts", "", ""
        case events.ResumeRequested():
            return "resume the flow", "", ""
        case events.CancelRequested():
            return "cancel the flow, for good", "", ""
        case events.AppendRequested():
            return "append groups to the flow", "", ""
        case _:
            assert_never(request)


def _rerun(state: FlowState, request: events.RerunRequested) -> Words:
    """Tell a rerun (section 10)."""
    step, along = request.step_id, request.additional_skip_step_ids
    skipping_along = f", skipping {', '.join(along)} along" if along else ""
    if request.continue_from_idx:
        index = request.continue_from_idx
        return "let a continued run take over from ", state.catalog.groups[index].key, " on"
    if request.operation == "skip-step":
        return "skip ", step, f"{skipping_along} (skip-step)"
    if request.stale_plan:
        before = f"retry {step}{skipping_along}, and have all made again from: "
        return before, request.replan_step_id or "", " (retry-step, stale_plan)"
    whole = " with its whole group" if _step(state, step).retry.scope == "group" else ""
    return "retry ", step, f"{whole}{skipping_along} (retry-step)"


def _answer(step: StepSpec, response: str) -> Words:
    """Tell an answer to an approval, with what it leads to (section 8)."""
    match response:
        case "deny":
            return "deny ", step.key, ": the flow stops"
        case "skip-current":
            return "skip ", step.key, f" (skip-current): {skipping(step)}"
        case "skip-current-and-dependents":
            rest = "and what follows in its group (skip-current-and-dependents): the flow stops"
            return "skip ", step.key, f" {rest}"
        case "retry":
            return "send ", step.key, " back (retry): it is worked out and asked about anew"
        case _:
            return f"{response} ", step.key, ""


def skipping(step: StepSpec) -> str:
    """What skipping a step that nobody approved leads to (S8.9)."""
    if skips_its_group(step):
        return "what follows in its group is skipped too"
    return "what follows in its group runs"


def _step(state: FlowState, key: str) -> StepSpec:
    position = state.catalog.position_of(key)
    assert position is not None, f"{key!r} is a step of the flow"
    return state.catalog.steps[position]


def _listed(named: list[str]) -> str:
    return f"{', '.join(named[:SHOWN])}{' and more' if len(named) > SHOWN else ''}"
