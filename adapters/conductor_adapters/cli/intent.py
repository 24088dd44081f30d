"""What a flow will do, for whoever reviews it before it runs.

Rule: it is told in the order in which it happens, and a default is told only where it is a
decision: who is asked, what a failure leads to. What work may ask for by a directive of its
own is not in the file, and so not told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, assert_never

from conductor_adapters.cli.console import counted, cut
from conductor_adapters.cli.possible import skipping
from conductor_core.codec import encode_spec
from conductor_core.durations import told_duration
from conductor_core.flowfile import SHELL
from conductor_core.graph import at_once
from conductor_core.outlook import Failing, failing
from conductor_core.spec import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)

ALL: Final = 200
"""A flow of so many steps is told in full; of a larger one, what people must look after."""
GROUPS_SHOWN: Final = 50
STEPS_SHOWN: Final = 3
ASKING_SHOWN: Final = 20
NEEDS_SHOWN: Final = 10


def told_intent(spec: FlowSpec) -> Iterator[str]:
    """Say what a flow will do."""
    steps = sum(len(group.steps) for group in spec.groups)
    yield f"flow {spec.type}: {counted(len(spec.groups), 'group')}, {counted(steps, 'step')}"
    yield from (f"  {line}" for line in _for_all(spec))
    for number, group in enumerate(spec.groups[: GROUPS_SHOWN if steps > ALL else None], 1):
        name = "" if group.name is None else f" ({group.name})"
        yield f"{number}. {group.key}{name}: {_together(group, spec.options)}"
        yield from (f"   {line}" for line in _steps(group, spec, in_full=steps <= ALL))
    left = spec.groups[GROUPS_SHOWN:] if steps > ALL else ()
    if left:
        yield f"and {counted(len(left), 'group')} more{_that_ask(_asking(left))}"


def intent_as_data(spec: FlowSpec) -> dict[str, Any]:
    """What a flow will do, as data: the flow, and for each part of it what is told."""
    wire: dict[str, Any] = encode_spec(spec)
    return {
        "type": spec.type,
        "told": list(_for_all(spec)),
        "groups": [
            {
                "key": group.key,
                "name": group.name,
                "parallel": group.parallel,
                "at_once": at_once(group, spec.options),
                "steps": [
                    {
                        "key": step.key,
                        "told": list(_about(step, group, spec.options)),
                        "step": as_wire,
                    }
                    for step, as_wire in zip(group.steps, encoded["steps"], strict=True)
                ],
            }
            for group, encoded in zip(spec.groups, wire.get("groups", ()), strict=True)
        ],
    }


# --- the flow ---


def _for_all(spec: FlowSpec) -> Iterator[str]:
    """What holds for all groups."""
    if not spec.groups:
        yield f"its groups are generated when it starts, for the type {spec.type!r}"
    asking = _asking(spec.groups)
    if spec.options.approval == "approve-all":
        yield f"{counted(asking, 'approval')}, taken as given without asking (approve-all)"
    else:
        yield f"{counted(asking, 'approval')}" + (" asked of people" if asking else "")
    if spec.options.on_failure == "await-retry":
        yield "a failure waits for somebody to retry or skip its step (await-retry)"
    else:
        yield "a failure stops the flow, until somebody retries or skips its step"
    every = spec.options.continue_as_new_every
    if every is not None:
        yield f"continues as new after every {'group' if every == 1 else f'{every:,} groups'}"


def _asking(groups: tuple[GroupSpec, ...]) -> int:
    """How many steps ask for approval."""
    return sum(step.approval is not None for group in groups for step in group.steps)


def _that_ask(count: int) -> str:
    return f", with {counted(count, 'approval')}" if count else ""


# --- groups ---


def _together(group: GroupSpec, options: FlowOptions) -> str:
    """How many steps there are, and how they run."""
    count = counted(len(group.steps), "step")
    if not group.parallel:
        return count if len(group.steps) == 1 else f"{count}, one after another"
    limit = at_once(group, options)
    how = "all at once" if limit == len(group.steps) else f"{limit:,} at a time"
    fast = "; a stop cancels those that run (fail_fast)" if group.fail_fast else ""
    return f"{count} in parallel, {how}{fast}"


def _steps(group: GroupSpec, spec: FlowSpec, *, in_full: bool) -> Iterator[str]:
    told = group.steps if in_full else tuple(_most_telling(group))
    for step in told:
        name = "" if step.name is None else f" ({step.name})"
        yield f"{step.key}{name}: {_work(step)}"
        yield from (f"  {line}" for line in _about(step, group, spec.options))
    left = len(group.steps) - len(told)
    if left:
        asking = _asking((group,)) - sum(step.approval is not None for step in told)
        yield f"and {counted(left, 'step')} more{_that_ask(asking)}"


def _most_telling(group: GroupSpec) -> Iterator[StepSpec]:
    """The first steps, and the first of those that ask people."""
    asking = 0
    for number, step in enumerate(group.steps):
        asking += step.approval is not None
        if number < STEPS_SHOWN or (step.approval is not None and asking <= ASKING_SHOWN):
            yield step


# --- steps ---


def _work(step: StepSpec) -> str:
    """What does the work, and on what."""
    if step.skipped:
        return "skipped"
    given = step.input.value
    if step.handler == SHELL and isinstance(given, dict) and "run" in given:
        more = {key: value for key, value in given.items() if key != "run"}
        return f"runs {cut(str(given['run']).strip())}" + (f" with {_json(more)}" if more else "")
    return f"calls {step.handler}" + (f" with {_json(given)}" if given != {} else "")


def _json(value: object) -> str:
    return cut(json.dumps(value, ensure_ascii=False))


def _about(step: StepSpec, group: GroupSpec, options: FlowOptions) -> Iterator[str]:
    """What there is to know about a step beside its work."""
    if step.skipped:
        return
    if step.needs:
        yield f"given the output of {_listed(step.needs)}"
    if step.timeout_ms is not None:
        yield f"fails after {told_duration(step.timeout_ms)}"
    if step.skip_if_noop:
        yield "when there is nothing to do, the rest of its group is skipped"
    if step.approval is not None:
        yield from _approval(step, step.approval, options)
    ahead = failing(step, group, options)
    if not ahead.is_usual:
        yield _failure(step, ahead)
    if not step.skippable:
        yield "no person may skip it"
    if step.on_recovery == "fail":
        yield "after a crash it is not run again, but fails"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NEEDS_SHOWN:,} more" if len(names) > NEEDS_SHOWN else ""
    return f"{', '.join(names[:NEEDS_SHOWN])}{more}"


def _approval(step: StepSpec, approval: ApprovalSpec, options: FlowOptions) -> Iterator[str]:
    """Who is asked, until when, and what comes of it (section 8)."""
    if options.approval == "approve-all":
        yield f"approval by {_people(approval)}, taken as given"
        return
    yield f"then waits for approval by {_people(approval)}; a denial stops the flow"
    if approval.auto_approve_on_policy_pass:
        yield "  approved by itself when its policy passes"
    if approval.timeout_ms is not None:
        yield f"  expires after {told_duration(approval.timeout_ms)}, which stops the flow"
    if approval.stale_after_ms is not None:
        stale = told_duration(approval.stale_after_ms)
        yield f"  stale after {stale}: to approve it then has it worked out anew"
    if step.skippable:
        yield f"  to skip it: {skipping(step)}"


def _people(approval: ApprovalSpec) -> str:
    required, names = approval.required, approval.approvers
    if names is None:
        return "anybody" if required == 1 else f"{required} people"
    if required == len(names):
        return " and ".join(names)
    return f"{'' if required == 1 else f'{required} of '}{', '.join(names[:-1])} or {names[-1]}"


def _failure(step: StepSpec, ahead: Failing) -> str:
    """What a failure leads to: retries, and then."""
    retries = f"retried {_retries(step.retry, ahead)}; then " if ahead.retries else ""
    return f"on failure {retries}{_in_the_end(step, ahead)}"


def _retries(retry: RetryPolicy, ahead: Failing) -> str:
    whole = "with its whole group " if ahead.of_group else ""
    return f"{whole}{_times(ahead.retries)}, {_waits(retry, ahead.retries)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _waits(retry: RetryPolicy, count: int) -> str:
    """The waits before so many retries (S2.2)."""
    waits = retry.backoff_ms[:count]
    if not any(waits):
        return "at once"
    most = "at most " if retry.jitter else ""
    each = " each" if len(set(waits)) == 1 and count > 1 else ""
    told = (told_duration(wait) for wait in (waits[:1] if each else waits))
    more = " and so on" if count > len(waits) and not each else ""
    return f"after {most}{', '.join(told)}{each}{more}"


def _in_the_end(step: StepSpec, ahead: Failing) -> str:
    """What follows when no retry of its own is left."""
    match ahead.end:
        case "continue":
            return "the flow goes on (skip_on_failure)"
        case "await-retry":
            skip = " or to skip it" if step.skippable else ""
            return f"waits for somebody to retry it (at most {_times(ahead.left)}){skip}"
        case "stop":
            return "the flow stops" + ("" if ahead.left else ", and nobody may retry it")
        case _:
            assert_never(ahead.end)
