"""What a scenario is: a flow, what its work returns, what people do, what must come of it.

Rule: only declarations, frozen. Events stand here as templates: the world that plays the
scenario fills in the time, the attempt and the incarnation. `scenario_format` reads
scenarios from plain data, `scenario_world` plays them.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, Union

from attrs import frozen

from conductor_core.events import Event, GenerationFailed, GroupsGenerated, StepFinished
from conductor_core.payload import Payload
from conductor_core.places import join, key_place
from conductor_core.spec import FlowSpec

FORMAT: Final = "conductor-scenario/1"

Topic: TypeAlias = Literal[
    "flow",
    "reason",
    "step",
    "message",
    "retries_exhausted",
    "steps",
    "directives",
    "groups",
    "dispatched",
    "attempts",
    "timers",
    "approvals",
    "commands",
    "absent",
    "inputs",
]


@frozen(kw_only=True)
class Claim:
    """One thing that must be true when the flow is quiet.

    `of` is the attempt, step, group or command type that a claim of its topic is about.
    """

    topic: Topic
    of: str | None = None
    expected: Payload

    @property
    def where(self) -> str:
        """The path of the claim in its expectation: `steps['a#1']`."""
        return self.topic if self.of is None else join(self.topic, key_place(self.of))


@frozen(kw_only=True)
class Send:
    """Send an event, with the time of the world in place of its own."""

    event: Event


@frozen(kw_only=True)
class TellContinueAsNew:
    """Send a fact about continue-as-new, for the state's incarnation unless one is given."""

    fact: Literal["suggest", "continued"]
    incarnation: int | None = None


@frozen(kw_only=True)
class Advance:
    """Let virtual time pass and every timer fire that falls due."""

    ms: int


@frozen(kw_only=True)
class Snapshot:
    """Encode the state, decode it and go on with the copy."""


@frozen(kw_only=True)
class StayPending:
    """Do not send flow-started by itself; only ever the first action."""


Deed: TypeAlias = Union[Send, TellContinueAsNew, Advance, Snapshot, StayPending]


@frozen(kw_only=True)
class Action:
    """One thing that happens to a quiet flow.

    `expect` is the text of the verdict, None where there is none; `check` is tested when
    the flow is quiet again.
    """

    deed: Deed
    expect: str | None
    check: tuple[Claim, ...] = ()


@frozen(kw_only=True)
class Script:
    """What the work of a step returns, dispatch by dispatch; the last entry repeats.

    An entry of None holds the attempt until a `finish` action.
    """

    step: str
    entries: tuple[StepFinished | None, ...]


@frozen(kw_only=True)
class Scenario:
    """A flow and its story; `generate` is the answer to generate-steps, where there is one."""

    name: str
    spec: str = ""
    flow: FlowSpec
    flow_id: str = "flow"
    work: tuple[Script, ...] = ()
    generate: GroupsGenerated | GenerationFailed | None = None
    ignores_cancel: frozenset[str] = frozenset()
    hold_continue_as_new: bool = False
    do: tuple[Action, ...] = ()
    expect: tuple[Claim, ...] = ()


@frozen(kw_only=True)
class Difference:
    """A claim that is not true: where it stands, what it says and what is the case."""

    where: str
    expected: Payload
    got: Payload

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected.text}, got {self.got.text}"
