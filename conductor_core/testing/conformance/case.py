"""A small flow and its story, for any host.

Rule: only declarations, frozen. A case must come to the same state whatever the order in
which work of the same group ends, and however long it takes: a timer of at most SOON_MS
fires before anything else happens, a longer one never.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, TypeAlias

from attrs import evolve, frozen

from conductor_core.events import (
    AppendRequested,
    ContinueAsNewSuggested,
    Event,
    GenerationFailed,
    GroupsGenerated,
    RerunRequested,
    StepFinished,
    is_request,
)
from conductor_core.spec import FlowSpec, GroupSpec, StepSpec
from conductor_core.state import FlowState
from conductor_core.testing.scenarios import Script

SOON_MS: Final = 60_000


@frozen
class AtOnce:
    """Requests that are made at the same time; the host takes them in some order.

    The work that they set off is held, so that none of it ends between them.
    """

    requests: tuple[Event, ...]


Act: TypeAlias = Event | AtOnce
"""Something that happens to a flow when it is quiet."""


@frozen(kw_only=True)
class Case:
    """A flow, what its work returns, what happens to it whenever it is quiet, how it ends.

    `work` holds scripts as scenarios do: an entry for each attempt of a step, the last one
    repeats, one of None holds the attempt until an act finishes it; a step without a script
    succeeds. `generate` answers generate-steps, None leaves it to the acts. `acts` are
    requests, facts from outside, and the step-finished of held attempts. What stands in
    them of flow id, request id and incarnation is filled in.
    """

    name: str
    about: str
    flow: FlowSpec
    work: tuple[Script, ...] = ()
    generate: GroupsGenerated | GenerationFailed | None = None
    ignores_cancel: frozenset[str] = frozenset()
    acts: tuple[Act, ...] = ()
    ends: str = "success"

    def __str__(self) -> str:
        return self.name

    @property
    def generates(self) -> bool:
        """Whether its groups are generated, which not every host can do."""
        return not self.flow.groups

    def steps(self) -> Iterator[StepSpec]:
        """Every step that the flow may come to have."""
        return (step for group in self._groups() for step in group.steps)

    def entries(self, step: str) -> tuple[StepFinished | None, ...]:
        """What the attempts of a step return; none where it has no script."""
        return next((script.entries for script in self.work if script.step == step), ())

    def _groups(self) -> Iterator[GroupSpec]:
        added = (
            event.groups
            for event in (self.generate, *chain.from_iterable(map(events_of, self.acts)))
            if isinstance(event, (GroupsGenerated, AppendRequested))
        )
        return chain(self.flow.groups, chain.from_iterable(added))


def events_of(act: Act) -> tuple[Event, ...]:
    """What happens when an act does."""
    return act.requests if isinstance(act, AtOnce) else (act,)


def addressed(event: Event, state: FlowState, request_id: str) -> Event:
    """An act, with what depends on the flow that it is sent to."""
    if isinstance(event, RerunRequested):
        return evolve(event, flow_id=state.flow_id, request_id=request_id)
    if isinstance(event, ContinueAsNewSuggested):
        return evolve(event, incarnation=state.incarnation)
    return evolve(event, request_id=request_id) if is_request(event) else event
