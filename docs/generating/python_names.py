"""The public names of the Python modules, each with its signature and what it says of itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import conductor_adapters
import conductor_core
from conductor_core.payload import Payload
from docs.generating.markdown import citing, code, first_sentence, page, table


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
    yield table(["name", "what it is"], [_row(module, name) for name in sorted(module.__all__)])


def _row(module: ModuleType, name: str) -> list[str]:
    thing = getattr(module, name)
    return [code(name + _signature(thing)), _told(thing)]


def _signature(thing: Any) -> str:
    """How it is called; an enum, a module and a constant are not."""
    if not callable(thing) or (inspect.isclass(thing) and issubclass(thing, str)):
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
