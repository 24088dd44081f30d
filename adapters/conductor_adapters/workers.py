"""Who does the work of flows, and what a flow needs that nobody here does.

Rule: handlers are found by the name of the work, generators by the type of the flow; whatever
is missing is told before a flow begins, with its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, cast

from attrs import field, frozen

from conductor_adapters.calls import is_coroutine_function
from conductor_adapters.work import StepContext, StepFailure
from conductor_core.codec import encode_groups
from conductor_core.commands import GenerateSteps
from conductor_core.errors import Problem, SpecError
from conductor_core.spec import GroupSpec, group_problems
from conductor_core.state import FlowState

__all__ = ["Groups", "GroupsOf", "Handler"]

Groups: TypeAlias = Iterable[GroupSpec]
Handler: TypeAlias = Callable[[StepContext], object]
GroupsOf: TypeAlias = Callable[[GenerateSteps], Groups | Awaitable[Groups]]
"""A generator: makes the groups of a flow."""


@frozen(kw_only=True)
class Workers:
    """Handlers by the name of the work, and generators by the type of the flow."""

    handlers: Mapping[str, Handler]
    generators: Mapping[str, GroupsOf] = field(factory=dict)

    def handler(self, work: str) -> Handler:
        """The handler of the work; where there is none, one that fails."""
        return self.handlers.get(work, self._unknown_work)

    def generator(self, flow_type: str) -> Callable[[GenerateSteps], object]:
        """The generator of the flows of a type; where there is none, one that fails."""
        return _eager(self.generators.get(flow_type, _unknown_type))

    def missing(self, state: FlowState) -> Iterator[Problem]:
        """What a flow still needs that nobody here does."""
        if state.outcome is not None:
            return
        for index, group in enumerate(state.catalog.groups):
            first = state.catalog.span(index).start
            for number, step in enumerate(group.steps):
                if step.handler not in self.handlers and state.live[first + number].unfinished:
                    named = "key" if step.work is None else "work"
                    yield f"groups[{index}].steps[{number}].{named}", self._no_handler(step.handler)
        if state.needs_groups and state.spec.type not in self.generators:
            yield "groups", _no_generator(state.spec.type)

    def _no_handler(self, work: str) -> str:
        known = ", ".join(sorted(self.handlers)) or "none"
        return f"no handler is named {work!r} (known: {known})"

    async def _unknown_work(self, context: StepContext) -> object:
        message = self._no_handler(context.work)
        raise StepFailure(message, type="unknown-work", non_retryable=True)


def _eager(generator: GroupsOf) -> Callable[[GenerateSteps], object]:
    """A generator that does all its work when it is called, in the thread where it is called."""
    if is_coroutine_function(generator):
        return generator

    def call(command: GenerateSteps) -> object:
        made = generator(command)
        return made if inspect.isawaitable(made) else tuple(made)

    return call


def checked_groups(made: object) -> tuple[GroupSpec, ...]:
    """The groups that a generator made; raises TypeError, FormatError or SpecError for others."""
    groups = tuple(cast("Iterable[object]", made))
    for group in groups:
        if not isinstance(group, GroupSpec):
            raise TypeError(f"a generator makes GroupSpecs, not {group!r}")
    specs = cast("tuple[GroupSpec, ...]", groups)
    encode_groups(specs)
    problems = group_problems(specs)
    if problems:
        raise SpecError(tuple(problems))
    return specs


async def _unknown_type(command: GenerateSteps) -> Groups:
    message = _no_generator(command.flow_type)
    raise StepFailure(message, type="unknown-type", non_retryable=True)


def _no_generator(flow_type: str) -> str:
    return f"there are none, and no generator makes those of {flow_type!r}"
