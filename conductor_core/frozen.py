"""`frozen` of attrs, for records that share their methods.

Rule: the records of states, events, commands and logs are made here, and differ from those made
by attrs in nothing that they use: they define none of these methods, inherit from nothing, and
are referred to by no weak reference. attrs compiles `__eq__`, `__hash__` and `__repr__` for each
class, which takes half of the time that the class takes to make, and so of the time that the
package takes to import; here they are the same functions for all, about as fast.

The slots of a record stand in a base of its own that guards nothing, its *open class*. An
object of that class becomes the record when it is given the class of the record, and from then
on is as frozen as any other: `building` builds records so, and `Draft` becomes a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

_Equals: TypeAlias = Callable[[object, object], bool]
_Hash: TypeAlias = Callable[[object], int]

if TYPE_CHECKING:
    from attrs import frozen as frozen  # noqa: PLC0414 - handed on to all records
else:

    def frozen(cls: type | None = None, **options: Any) -> Any:
        """Make a class a frozen record, as attrs does."""
        if cls is None:
            return partial(frozen, **options)
        _check_plain(cls)
        body = {name: cls.__dict__[name] for name in cls.__dict__ if name not in _ATTACHED}
        body["__qualname__"] = cls.__qualname__
        opened = type(f"Open{cls.__name__}", cls.__bases__, {"__slots__": (*cls.__annotations__,)})
        based = type(cls.__name__, (opened,), body)
        made = attrs.frozen(based, eq=False, repr=False, weakref_slot=False, **options)
        made.__eq__, made.__hash__ = _comparing(attrs.fields(made))
        made.__repr__ = _repr
        return made


def _comparing(fields: Iterable[attrs.Attribute[Any]]) -> tuple[_Equals, _Hash]:
    """Equality and hash by the values of some fields, of records of the very same class."""
    names = [field.name for field in fields if field.eq]
    values = attrgetter(*names) if names else _no_values

    def __eq__(self: object, other: object) -> bool:  # noqa: N807 - it becomes that method
        return (
            values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented
        )

    def __hash__(self: object) -> int:  # noqa: N807 - as above
        return hash(values(self))

    return __eq__, __hash__


def _no_values(_record: object) -> tuple[()]:
    return ()


def _check_plain(cls: type) -> None:
    """Refuse what would be lost without a word when the class is made anew."""
    own = {"__eq__", "__hash__", "__repr__"} & cls.__dict__.keys()
    assert not own, f"{cls} may not define {', '.join(sorted(own))}"
    assert cls.__bases__ == (object,), f"{cls} may not inherit"


_ATTACHED: Final = ("__dict__", "__weakref__")
"""What Python attaches to a class that declares no slots."""


def open_class_of(cls: type) -> type:
    """The open class of a record."""
    opened = cls.__base__
    assert opened is not None, f"{cls} has no base"
    assert not cls.__dict__["__slots__"], f"{cls} has slots of its own"
    return opened


def _repr(record: attrs.AttrsInstance) -> str:
    """What attrs itself would say of a record: its class and its fields."""
    cls = record.__class__
    name = cls.__qualname__.rpartition(">.")[2]
    fields = (f"{field.name}={getattr(record, field.name)!r}" for field in attrs.fields(cls))
    return f"{name}({', '.join(fields)})"
