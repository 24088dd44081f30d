"""The wire form of a state: what cannot be derived, and nothing else.

Rule: counters, the index of groups and the sets of positions are left out and rebuilt from
the attempts, so that no document can hold a state that contradicts itself in them, and
equal states have equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import fields_dict

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.catalog import Catalog
from conductor_core.commands import Outcome
from conductor_core.errors import FormatError, Problem
from conductor_core.frozen import frozen
from conductor_core.generation import clash
from conductor_core.places import expected, located
from conductor_core.positions import PositionSet
from conductor_core.records import decoded, encoded, new_converter, register_enum
from conductor_core.spec import FlowSpec, GroupSpec, flow_id_problems, group_problems
from conductor_core.state import NONE, Cancellation, FlowState, Generating
from conductor_core.texts import TextWriters
from conductor_core.vector import Vector

if TYPE_CHECKING:
    from cattrs import Converter


@frozen(kw_only=True)
class Stored:
    """A state as it is written down.

    `groups` are those that were appended or generated; `attempts` are all there ever were,
    steps in flow order, oldest first, so that the last of each step is its live one.
    """

    flow_id: str
    spec: FlowSpec
    groups: tuple[GroupSpec, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    current: int = 0
    generation: int = 0
    wait_due_at_ms: int | None = None
    retrying: int | None = None
    skipping: bool = False
    stop: Outcome | None = None

    started: bool = False
    generating: Generating = "no"
    approval: str = "prompt"
    paused: bool = False
    cancellation: Cancellation | None = None
    continuing: bool = False
    suggested: bool = False
    incarnation: int = 0
    groups_since: int = 0
    run: int = 1
    outcome: Outcome | None = None
    finished_at_ms: int | None = None
    request_ids: tuple[str, ...] = ()


_texts: Final = TextWriters()
_shallow_texts: Final = TextWriters(shallow=True)
_SHARED: Final = tuple(name for name in fields_dict(Stored) if name not in ("groups", "attempts"))
"""The fields that a state and its wire form have in common."""


def encode_state(state: FlowState) -> dict[str, Any]:
    """The wire form of a state."""
    write = _converter().get_unstructure_hook(Stored)
    return cast(dict[str, Any], encoded(write, _stored(state, tuple(state.attempts()))))


def state_pieces(state: FlowState, *, shallow: bool = False) -> Iterator[str]:
    """The canonical text of the wire form, in pieces; raises Unwritable for what has none.

    Where `shallow` is asked for, that also is whatever may be nested too deeply to be read.
    """
    texts = _shallow_texts if shallow else _texts
    # Each attempt is written when it comes: a row of all would be as long as the flow.
    attempts: Any = state.attempts() if len(state.live) else ()
    return texts.pieces(Stored, _stored(state, attempts), (Stored, FlowSpec, GroupSpec))


def _stored(state: FlowState, attempts: tuple[Attempt, ...]) -> Stored:
    """What is written down of a state."""
    groups = state.catalog.groups
    return Stored(
        groups=tuple(groups.slice(len(state.spec.groups), len(groups))),
        attempts=attempts,
        **{name: getattr(state, name) for name in _SHARED},
    )


def decode_state(data: Any, path: str = "") -> FlowState:
    """The state of a wire form: what hangs together is checked, what can be is derived."""
    return decoded(_read_state, data, path)


@cache
def _converter() -> Converter:
    converter = new_converter()
    register_enum(converter, AttemptStatus)
    return converter


def _read_state(data: Any) -> FlowState:
    stored: Stored = _converter().get_structure_hook(Stored)(data, Stored)
    catalog = _catalog_of(stored)
    histories = _histories(catalog, stored.attempts)
    live = [history[-1] for history in histories]
    _check_references(stored, catalog)
    _check_current_group(stored, catalog, live)
    place = catalog.place(stored.current)
    return FlowState(
        catalog=catalog,
        live=Vector(live),
        superseded=Vector(
            Vector(past) if (past := history[:-1]) else NONE for history in histories
        ),
        place=place,
        span=place.span,
        pending=_pending(live),
        active=sum(attempt.active for attempt in live),
        waiting=sum(attempt.status is AttemptStatus.WAITING_TO_RETRY for attempt in live),
        awaiting=sum(attempt.awaiting for attempt in live),
        parked=sum(attempt.parked for attempt in live),
        **{name: getattr(stored, name) for name in _SHARED},
    )


def _catalog_of(stored: Stored) -> Catalog:
    """The groups of the spec and those that came later, which may not clash with them."""
    catalog = Catalog().extend(stored.spec.groups)
    problems = group_problems(stored.groups, catalog)
    twice = clash(catalog, stored.groups)
    if twice is not None:
        problems.append(("groups", f"{twice!r} is used twice"))
    if problems:
        raise FormatError.of(problems)
    return catalog.extend(stored.groups)


def _histories(catalog: Catalog, attempts: tuple[Attempt, ...]) -> list[list[Attempt]]:
    """The attempts of each step, numbered from 1 without a gap; each step has one at least."""
    histories: list[list[Attempt]] = [[] for _ in catalog.steps]
    for index, attempt in enumerate(attempts):
        position = catalog.position_of(attempt.step)
        if position is None:
            raise FormatError(f"attempts[{index}].step", f"{attempt.step!r} is no step")
        history = histories[position]
        if attempt.n != len(history) + 1:
            raise located(f"attempts[{index}].n", expected(str(len(history) + 1), attempt.n))
        history.append(attempt)
    for step, history in zip(catalog.steps, histories, strict=True):
        if not history:
            raise FormatError("attempts", f"step {step.key!r} has none")
    return histories


def _pending(live: list[Attempt]) -> PositionSet:
    """The positions whose live attempt is pending."""
    positions = PositionSet().extend(0, len(live))
    for position, attempt in enumerate(live):
        if attempt.status is not AttemptStatus.PENDING:
            positions = positions.remove(position)
    return positions


def _check_references(stored: Stored, catalog: Catalog) -> None:
    """Refuse a flow id that is none, and numbers of groups and steps that do not exist."""
    problems = flow_id_problems(stored.flow_id)
    if not 0 <= stored.current <= len(catalog.groups):
        problems.append(("current", f"there is no group {stored.current}"))
    if stored.retrying is not None and not 0 <= stored.retrying < len(catalog.steps):
        problems.append(("retrying", f"there is no step {stored.retrying}"))
    if problems:
        raise FormatError.of(problems)


def _check_current_group(stored: Stored, catalog: Catalog, live: list[Attempt]) -> None:
    """Refuse what no run leads to: something under way outside the current group, and the like."""
    span, problems = catalog.span(stored.current), list[Problem]()
    if stored.wait_due_at_ms is not None and not span:
        problems.append(("wait_due_at_ms", "no group is left that could wait"))
    for position, attempt in enumerate(live):
        waits = attempt.parked or attempt.status is AttemptStatus.WAITING_TO_RETRY
        under_way = attempt.active or attempt.awaiting or waits
        if under_way and position not in span:
            problems.append(("attempts", f"{attempt.id!r} is under way outside the current group"))
        if attempt.awaiting and (attempt.approval is None or attempt.result is None):
            problems.append(("attempts", f"{attempt.id!r} awaits an approval of nothing"))
        if under_way and not attempt.active and (stored.stop is not None or not stored.started):
            problems.append(("attempts", f"{attempt.id!r} waits in a group that does not"))
    if problems:
        raise FormatError.of(problems)
