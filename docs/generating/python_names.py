"""The public names of the Python modules, each with its signature and what it says of itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, get_origin

import conductor_adapters
import conductor_core
from conductor_core.payload import Payload
from docs.generating.markdown import citing, code, first_sentence, page, table

PACKAGES: Final = ("conductor_core", "conductor_adapters")


def python_page() -> str:
    """All public modules."""
    return page(
        "Python",
        "A module is public if it has an `__all__`, and what stands there is what may be imported "
        "from it; everything else may change at any time ([stability](../stability.md)). Events "
        "and commands have pages of their own: [events](events.md), [commands](commands.md).",
        *(part for module in public_modules() for part in _module(module)),
    )


def public_modules() -> Iterator[ModuleType]:
    """Every module that has an `__all__`, the core first."""
    for package in (conductor_core, conductor_adapters):
        names = [
            info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        ]
        for name in sorted([package.__name__, *names]):
            # Importing these runs something, or is the business of the command line.
            if "__main__" in name or ".cli." in f"{name}.":
                continue
            module = importlib.import_module(name)
            if "__all__" in vars(module):
                yield module


def _module(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__}"
    yield first_sentence(module)
    rows = [row for name in sorted(module.__all__) for row in _rows(module, name)]
    yield table(["name", "what it is"], rows)


def _rows(module: ModuleType, name: str) -> Iterator[list[str]]:
    """A name, and below a class what can be done with it, where it is at home."""
    thing = getattr(module, name)
    yield [code(name + _signature(thing)), _told(thing)]
    if inspect.isclass(thing) and _is_at_home(thing, module):
        for member in sorted(_members(thing)):
            yield _member_row(name, member, inspect.getattr_static(thing, member))


def _is_at_home(thing: type, module: ModuleType) -> bool:
    """Whether a class was written in this module, or in one that is not public."""
    written = sys.modules[thing.__module__]
    return written is module or "__all__" not in vars(written)


def _members(thing: type) -> set[str]:
    """The names of methods and properties that are ours; fields stand in the signature."""
    ours = [base for base in thing.__mro__ if base.__module__.startswith(PACKAGES)]
    return {
        name
        for base in ours
        for name, value in vars(base).items()
        if not name.startswith("_")
        and isinstance(value, FunctionType | classmethod | staticmethod | property)
    }


def _member_row(owner: str, name: str, member: Any) -> list[str]:
    """A method as it is called, awaited where it must be; a property by its name alone."""
    if isinstance(member, property):
        return [code(f"{owner}.{name}"), _told(member.fget)]
    function = getattr(member, "__func__", member)
    call = _signature(function)
    if not isinstance(member, staticmethod):
        call = re.sub(r"^\((?:self|cls)(?:, )?(?:/(?:, )?)?", "(", call)
    waits = "await " if inspect.iscoroutinefunction(function) else ""
    return [code(f"{waits}{owner}.{name}{call}"), _told(function)]


def _signature(thing: Any) -> str:
    """How it is called; an enum, a protocol, an alias, a module and a constant are not."""
    if not callable(thing) or (inspect.isclass(thing) and issubclass(thing, str)):
        return ""
    if getattr(thing, "_is_protocol", False) or get_origin(thing) is not None:
        return ""
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError):
        return ""
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_shown(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


class _Plain:
    """A default that reads as it would be written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _shown(default: Any) -> Any:
    """A default as it would be written, without an address or what nobody would write."""
    if default is inspect.Parameter.empty:
        return default
    if isinstance(default, Payload):
        return _Plain(default.text)
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(default))
    return _Plain(text if len(text) <= 30 and "<" not in text else "...")


def _told(thing: Any) -> str:
    if inspect.ismodule(thing) or callable(thing):
        return citing(first_sentence(thing))
    return ""
