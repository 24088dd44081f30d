"""A flow and its events, made smaller: without steps, without attempts, without payloads.

Rule: what is taken out is taken out of the flow and of every event that speaks of it, so that
what is left speaks of nothing that is not there. Whether it still behaves as it should is not
asked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
from attrs import evolve, frozen

from conductor_core import events
from conductor_core.events import Event, StepError
from conductor_core.payload import EMPTY, NULL
from conductor_core.spec import FlowSpec, GroupSpec, StepSpec


@frozen
class Case:
    """A flow, and the events that befall it."""

    spec: FlowSpec
    events: tuple[Event, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """The keys of its steps, those that are generated or appended too."""
        return tuple(dict.fromkeys(step.key for group in self.groups() for step in group.steps))

    def groups(self) -> Iterator[GroupSpec]:
        """Its groups, and those that come with events."""
        yield from self.spec.groups
        for event in self.events:
            if isinstance(event, events.GroupsGenerated | events.AppendRequested):
                yield from event.groups


def in_order(case: Case) -> Case:
    """The same events, at times that do not go back."""
    now_ms, told = 0, []
    for event in case.events:
        now_ms = max(now_ms, event.at_ms)
        told.append(event if event.at_ms == now_ms else evolve(event, at_ms=now_ms))
    return evolve(case, events=tuple(told))


# --- without steps ---


def with_steps(case: Case, kept: Collection[str]) -> Case | None:
    """The case with these steps alone; None if nothing of a declared flow would be left."""
    keys = frozenset(kept)
    groups = tuple(_groups_with(case.spec.groups, keys))
    if case.spec.groups and not groups:
        return None
    known = {group.key for group in case.groups()}
    left = known - {group.key for group in case.groups() if not any(_steps_with(group, keys))}
    told = (_event_with(event, keys, left) for event in case.events)
    return Case(
        evolve(case.spec, groups=groups), tuple(event for event in told if event is not None)
    )


def _groups_with(groups: Iterable[GroupSpec], keys: frozenset[str]) -> Iterator[GroupSpec]:
    """The groups with these steps alone; those of which nothing is left are left out."""
    for group in groups:
        steps = tuple(_steps_with(group, keys))
        if steps == group.steps:
            yield group
        elif steps:
            yield evolve(group, steps=steps)


def _steps_with(group: GroupSpec, keys: frozenset[str]) -> Iterator[StepSpec]:
    for step in group.steps:
        if step.key in keys:
            needs = tuple(key for key in step.needs if key in keys)
            yield step if needs == step.needs else evolve(step, needs=needs)


def _event_with(event: Event, keys: frozenset[str], groups: Collection[str]) -> Event | None:
    """An event where there are these steps and groups alone; None if it is about others."""
    if any(key not in keys for key in steps_named(event)):
        return None
    match event:
        case events.GroupsGenerated():
            return evolve(event, groups=tuple(_groups_with(event.groups, keys)))
        case events.AppendRequested():
            left = tuple(_groups_with(event.groups, keys))
            return evolve(event, groups=left) if left or not event.groups else None
        case events.RerunRequested(replan_step_id=replan, additional_skip_step_ids=more):
            skipped = tuple(key for key in more if key in keys)
            again = replan if replan is None or _step_of(replan) in keys else None
            return evolve(event, replan_step_id=again, additional_skip_step_ids=skipped)
        case events.GroupRetryRequested(group=group) | events.CancelRequested(group=str() as group):
            return event if group in groups else None
        case events.TimerFired(timer=timer) if "@" in timer:
            return event if timer.partition(":")[2].rpartition("@")[0] in groups else None
        case _:
            return event


def steps_named(event: Event) -> Iterator[str]:
    """The keys of the steps that an event is about."""
    attempt = attempt_named(event)
    if attempt is not None:
        yield _step_of(attempt)
    match event:
        case events.ApprovalResponded(step=step) | events.RetryNowRequested(step=step):
            yield step
        case events.CancelRequested(step=str() as step):
            yield step
        case events.RerunRequested(step_id=step) if "#" not in step:
            yield step
        case _:
            pass


def attempt_named(event: Event) -> str | None:
    """The attempt that an event is about, if it names one."""
    match event:
        case events.StepStarted(attempt=attempt) | events.StepFinished(attempt=attempt):
            return attempt
        case events.TimerFired(timer=timer) if "#" in timer:
            return timer.partition(":")[2]
        case events.RerunRequested(step_id=step) if "#" in step:
            return step
        case _:
            return None


def _step_of(attempt: str) -> str:
    return attempt.rpartition("#")[0] if "#" in attempt else attempt


# --- without attempts ---


def attempts_of(case: Case) -> tuple[str, ...]:
    """The attempts that are spoken of, in the order in which they are."""
    named = (attempt_named(event) for event in case.events)
    return tuple(dict.fromkeys(attempt for attempt in named if attempt is not None))


def repeated_attempts(case: Case) -> tuple[str, ...]:
    """Those of steps of which more than one is spoken of."""
    attempts = attempts_of(case)
    counts = Counter(map(_step_of, attempts))
    return tuple(attempt for attempt in attempts if counts[_step_of(attempt)] > 1)


def without_attempts(case: Case, dropped: Collection[str]) -> Case:
    """The case without what is said of these attempts; the others are counted anew."""
    gone = frozenset(dropped)
    renamed = _counted_anew([attempt for attempt in attempts_of(case) if attempt not in gone])
    told = []
    for event in case.events:
        attempt = attempt_named(event)
        if attempt is None:
            told.append(event)
        elif attempt in renamed:
            told.append(_about(event, attempt, renamed[attempt]))
    return evolve(case, events=tuple(told))


def _counted_anew(attempts: Collection[str]) -> Mapping[str, str]:
    """New ids, without gaps, in the order of the old ones."""
    counts: dict[str, int] = {}
    renamed: dict[str, str] = {}
    for attempt in sorted(attempts, key=_number):
        step = _step_of(attempt)
        counts[step] = counts.get(step, 0) + 1
        renamed[attempt] = f"{step}#{counts[step]}"
    return renamed


def _number(attempt: str) -> int:
    number = attempt.rpartition("#")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def _about(event: Event, attempt: str, renamed: str) -> Event:
    """The same event about an attempt by its new id."""
    if attempt == renamed:
        return event
    match event:
        case events.StepStarted() | events.StepFinished():
            return evolve(event, attempt=renamed)
        case events.TimerFired(timer=timer):
            return evolve(event, timer=f"{timer.partition(':')[0]}:{renamed}")
        case events.RerunRequested():
            return evolve(event, step_id=renamed)
        case _:
            return event


# --- without payloads ---


PLAIN: Final[Mapping[str, Any]] = {
    "input": EMPTY,
    "metadata": EMPTY,
    "name": None,
    "needs": (),
    "output": NULL,
    "subject": None,
    "note": None,
    "details": NULL,
    "cause": None,
}
"""The fields that hold payloads, and words that nothing depends on, with what is nothing there."""


def places_of(case: Case) -> tuple[str, ...]:
    """Where there is anything to empty: the flow, its groups and steps, and its events."""
    places = [] if _emptied(case.spec) == case.spec else ["flow"]
    for group in case.spec.groups:
        if _emptied(group) != group:
            places.append(f"group {group.key}")
        places += [f"step {step.key}" for step in group.steps if _emptied(step) != step]
    told = enumerate(case.events)
    return (*places, *(f"event {index}" for index, event in told if _emptied(event) != event))


def with_places(case: Case, kept: Collection[str]) -> Case:
    """The case with everything emptied but what stands in these places."""
    keeps = frozenset(kept)

    def left(place: str, record: Any) -> Any:
        return record if place in keeps else _emptied(record)

    groups = tuple(
        left(
            f"group {group.key}",
            evolve(group, steps=tuple(left(f"step {step.key}", step) for step in group.steps)),
        )
        for group in case.spec.groups
    )
    spec = left("flow", evolve(case.spec, groups=groups))
    told = tuple(left(f"event {index}", event) for index, event in enumerate(case.events))
    return Case(spec, told)


def _emptied(record: Any) -> Any:
    """A record without payloads of its own; an error keeps its message and its type."""
    names = {field.name for field in attrs.fields(record.__class__)}
    changes = {name: empty for name, empty in PLAIN.items() if name in names}
    error = getattr(record, "error", None)
    if isinstance(error, StepError):
        changes["error"] = _emptied(error)
    if isinstance(record, events.GroupsGenerated | events.AppendRequested):
        changes["groups"] = tuple(_emptied_group(group) for group in record.groups)
    return evolve(record, **changes)


def _emptied_group(group: GroupSpec) -> GroupSpec:
    steps = tuple(_emptied(step) for step in group.steps)
    emptied: GroupSpec = _emptied(evolve(group, steps=steps))
    return emptied
