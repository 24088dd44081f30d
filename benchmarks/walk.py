"""Weighing what an object reaches, by walking from one to the next and counting none twice.

Rule: what belongs to the program (classes, modules, functions) is no part of a flow.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Final

_PROGRAM: Final = (type, ModuleType, FunctionType, BuiltinFunctionType)
_GRAIN: Final = 16
"""CPython's allocator hands out multiples of so many bytes."""


def weight(root: object, apart: set[int]) -> int:
    """The bytes of all that an object reaches, but for what is known and stays out."""
    return sum(map(sys.getsizeof, _walk(root, set(apart))))


def occupied(root: object) -> int:
    """The bytes that the allocator handed out for all that an object reaches."""
    return sum(-(-sys.getsizeof(thing) // _GRAIN) * _GRAIN for thing in _walk(root, set()))


def reachable(root: object, known: set[int]) -> set[int]:
    """Every object that is reached, by its id, and those that were known."""
    for _ in _walk(root, known):
        pass
    return known


def _walk(root: object, known: set[int]) -> Iterator[object]:
    """Every object that is reached and not known yet, which then is known."""
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in known or isinstance(thing, _PROGRAM):
            continue
        known.add(id(thing))
        yield thing
        waiting.extend(gc.get_referents(thing))
