"""What differs in what two flows declare: groups and steps by their keys, then their fields.

Rule: a place is told by keys, `groups[build].steps[wheel].timeout_ms`, so that it is the same
place on both sides wherever it stands. What only one flow has is told as a whole; what both
have is compared with its defaults filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import fields, frozen, has

from conductor_adapters.debugger.unequal import Unequal, told_value, unequal
from conductor_core.differences import NOTHING
from conductor_core.payload import Payload
from conductor_core.places import join, key_place
from conductor_core.spec import DEFAULT_APPROVAL, FlowSpec, GroupSpec, StepSpec

Kind: TypeAlias = Literal["added", "removed", "moved", "order", "changed"]
PARTS: Final = ("groups", "steps")
"""Fields that are compared by their keys and not as they are."""
Home: TypeAlias = tuple[GroupSpec, StepSpec]


@frozen
class Change:
    """One difference of two declarations; `added` is what side b has and side a has not."""

    kind: Kind
    where: Unequal

    def as_data(self) -> dict[str, Any]:
        """The change for JSON."""
        return {"change": self.kind, **self.where.as_data()}

    def __str__(self) -> str:
        match self.kind:
            case "added" | "removed":
                return f"{self.where.place}: {self.kind}"
            case "moved":
                return f"{self.where.place}: moved from {self.where.a} to {self.where.b}"
            case "order":
                a, b = (", ".join(side) for side in (self.where.a, self.where.b))
                return f"{self.where.place}: in another order, {a} -> {b}"
            case "changed":
                return f"{self.where.place}: {_told(self.where.a)} -> {_told(self.where.b)}"


def changes_of(a: FlowSpec, b: FlowSpec) -> tuple[Change, ...]:
    """Every difference between what two flows declare."""
    return tuple(_changes(a, b))


def steps_of(spec: FlowSpec) -> dict[str, Home]:
    """The steps that a flow declares, each with its group, by key and in order."""
    return {step.key: (group, step) for group in spec.groups for step in group.steps}


def _changes(a: FlowSpec, b: FlowSpec) -> Iterator[Change]:
    yield from _fields(a, b, "")
    before = {group.key: group for group in a.groups}
    after = {group.key: group for group in b.groups}
    yield from _one_sided(before, after, "groups[{}]")
    yield from _order([*before], [*after], "groups")
    homes, others = steps_of(a), steps_of(b)
    for key in _common(before, after):
        place = f"groups[{key}]"
        yield from _fields(before[key], after[key], place)
        yield from _steps(before[key], after[key], homes, others)
    for key in _common(homes, others):
        yield from _step(homes[key], others[key])


def _steps(
    a: GroupSpec, b: GroupSpec, homes: Mapping[str, Home], others: Mapping[str, Home]
) -> Iterator[Change]:
    """The steps that one flow has in a group and the other nowhere, and the order of the rest."""
    gone = {step.key: step for step in a.steps if step.key not in others}
    new = {step.key: step for step in b.steps if step.key not in homes}
    yield from _one_sided(gone, new, f"groups[{a.key}].steps[{{}}]")
    keys, after = ([step.key for step in group.steps] for group in (a, b))
    yield from _order(keys, after, f"groups[{a.key}].steps")


def _step(a: Home, b: Home) -> Iterator[Change]:
    """A step that both flows have, wherever it stands."""
    place = f"groups[{b[0].key}].steps[{b[1].key}]"
    if a[0].key != b[0].key:
        place = f"steps[{b[1].key}]"
        yield Change("moved", Unequal(place, f"groups[{a[0].key}]", f"groups[{b[0].key}]"))
    yield from _fields(a[1], b[1], place)


def _one_sided(a: Mapping[str, Any], b: Mapping[str, Any], place: str) -> Iterator[Change]:
    for key in a:
        if key not in b:
            yield Change("removed", Unequal(place.format(key), _plain(a[key]), NOTHING))
    for key in b:
        if key not in a:
            yield Change("added", Unequal(place.format(key), NOTHING, _plain(b[key])))


def _order(a: list[str], b: list[str], place: str) -> Iterator[Change]:
    """Whether those that both have come in another order."""
    before, after = [key for key in a if key in b], [key for key in b if key in a]
    if before != after:
        yield Change("order", Unequal(place, before, after))


def _common(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    return (key for key in a if key in b)


def _fields(a: Any, b: Any, place: str) -> Iterator[Change]:
    """The fields of two records that differ, but for the parts that have keys of their own."""
    ours, theirs = (_plain(record, but=PARTS) for record in (a, b))
    return (Change("changed", it) for it in _unequal(ours, theirs, place))


def _unequal(a: Any, b: Any, place: str) -> Iterator[Unequal]:
    """Every place at which two values differ; a list, such as that of waits, is one value."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a | b:
            inner = join(place, key_place(key))
            yield from _unequal(a.get(key, NOTHING), b.get(key, NOTHING), inner)
    elif any(unequal(a, b)):
        yield Unequal(place, a, b)


# --- records as JSON ---


def _plain(value: Any, *, but: tuple[str, ...] = ()) -> Any:
    """A record as JSON, with its defaults."""
    if isinstance(value, Payload):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not has(value.__class__):
        return value
    return {
        f.name: _plain(getattr(value, f.name)) for f in fields(value.__class__) if f.name not in but
    }


def _told(value: Any) -> str:
    """A value of a field as in a flow file: of an approval what is set, `true` if nothing is."""
    if value is None:
        return "none"
    if not isinstance(value, dict) or value.keys() != APPROVAL.keys():
        return told_value(value)
    said = {key: item for key, item in value.items() if item != APPROVAL[key]}
    return told_value(said or True)


APPROVAL: Final[dict[str, Any]] = _plain(DEFAULT_APPROVAL)
"""An approval of which nothing is set."""
