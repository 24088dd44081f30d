"""`frozen` of attrs, for records that share one `__repr__`.

Rule: every record of the core is made here, and is one made by attrs in all that can be seen of
it. attrs compiles a `__repr__` for each class, which takes a quarter of the time that the
class takes to make, and so of the time that the package takes to import. Nothing can refer
weakly to a record, so that `building` can make it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

__all__ = ["frozen"]

if TYPE_CHECKING:
    from attrs import frozen
else:

    def frozen(cls: type | None = None, **options: Any) -> Any:
        """Make a class a frozen record, as attrs does."""
        if cls is None:
            return partial(frozen, **options)
        made = attrs.frozen(cls, **{"repr": False, "weakref_slot": False} | options)
        made.__repr__ = _repr
        return made


def _repr(record: attrs.AttrsInstance) -> str:
    """What attrs itself would say of a record: its class and its fields."""
    cls = record.__class__
    name = cls.__qualname__.rpartition(">.")[2]
    fields = (f"{field.name}={getattr(record, field.name)!r}" for field in attrs.fields(cls))
    return f"{name}({', '.join(fields)})"
