"""All that others may rely on, a line each: `python -m tests.public_api` writes it down.

Rule: a module is public if it has an `__all__`, and so is what stands there, with what can be
called, read and caught of it; so are the commands and options of the command line, the extras,
and the points where the distribution is plugged in. The lines are the same on every Python.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import attrs
import click

import conductor_adapters
import conductor_core
from conductor_adapters.cli.main import conductor

FILE: Final = Path(__file__).with_name("public_api.txt")
_PYPROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"
_OURS: Final = ("conductor_core", "conductor_adapters")


def public_modules() -> list[ModuleType]:
    """Every module that has an `__all__`."""
    found = []
    for package in (conductor_core, conductor_adapters):
        within = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        for name in sorted([package.__name__, *(info.name for info in within)]):
            # Importing these runs something, or is the business of the command line.
            if name.endswith("__main__") or name.startswith("conductor_adapters.cli"):
                continue
            module = importlib.import_module(name)
            if "__all__" in vars(module):
                found.append(module)
    return found


def lines() -> Iterator[str]:
    """All that is public."""
    for module in public_modules():
        for name in sorted(module.__all__):
            yield from _told(f"{module.__name__}.{name}", getattr(module, name))
    yield from _command("conductor", cast("click.Group", conductor), click.Context(conductor))
    yield from _plugged()


def _told(path: str, thing: Any) -> Iterator[str]:
    if inspect.ismodule(thing):
        yield f"{path}: module"
    elif inspect.isclass(thing):
        yield from _class(path, thing)
    elif inspect.isfunction(thing):
        yield f"{path}{_signature(thing)}"
    else:
        yield f"{path}: {_value(thing)}"


def _class(path: str, kind: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in kind.__bases__ if base is not object)
    yield f"{path}: class({bases})"
    if issubclass(kind, enum.Enum):
        for member in kind:
            yield f"{path}.{member.name} = {member.value!r}"
    elif attrs.has(kind):
        for field in attrs.fields(kind):
            if field.init and not field.name.startswith("_"):
                yield f"{path}.{field.name}: {_plain(field.type)}{_default(field)}"
    elif "__init__" in vars(kind):
        yield f"{path}.__init__{_signature(kind.__init__)}"
    for name in sorted(_members(kind)):
        yield from _member(f"{path}.{name}", inspect.getattr_static(kind, name))


def _members(kind: type) -> set[str]:
    """The public names of a class and of those of ours that it is made from."""
    own = {
        name for base in kind.__mro__ if base.__module__.startswith(_OURS) for name in vars(base)
    }
    fields = {field.name for field in attrs.fields(kind)} if attrs.has(kind) else set()
    members = set(kind.__members__) if issubclass(kind, enum.Enum) else set()
    return {name for name in own - fields - members if not name.startswith("_")}


def _member(path: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        yield f"{path}: property"
    elif isinstance(member, (staticmethod, classmethod)):
        yield f"{path}: {type(member).__name__} {_signature(member.__func__)}"
    elif inspect.isfunction(member):
        yield f"{path}{_signature(member)}"


def _signature(function: Any) -> str:
    """As it is written; annotations are texts, and defaults read as they would be written."""
    prefix = ": async " if inspect.iscoroutinefunction(function) else ""
    text = str(inspect.signature(function)).replace("'", "")
    return prefix + re.sub(r" at 0x[0-9a-f]+|<function |>", "", text)


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return ""
    return " = ..." if isinstance(field.default, attrs.Factory) else f" = {field.default!r}"  # type: ignore[arg-type] # a class, though not to its stubs


def _plain(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _value(thing: Any) -> str:
    """A constant by its value where it is plain, and by its kind otherwise."""
    plain = (str, int, bool, tuple, frozenset)
    if isinstance(thing, plain) and all(isinstance(item, plain) for item in _items(thing)):
        return repr(sorted(thing) if isinstance(thing, frozenset) else thing)
    return "alias or constant"


def _items(thing: Any) -> tuple[Any, ...]:
    return tuple(thing) if isinstance(thing, (tuple, frozenset)) else ()


def _command(path: str, command: click.Command, context: click.Context) -> Iterator[str]:
    takes = [f"<{p.name}>" for p in command.params if isinstance(p, click.Argument)]
    options = sorted(
        "/".join([*option.opts, *option.secondary_opts])
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    )
    yield " ".join([f"$ {path}", *takes, *options])
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None, f"{name} is no command"
            yield from _command(f"{path} {name}", below, context)


def _plugged() -> Iterator[str]:
    project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["project"]
    yield f"requires-python {project['requires-python']}"
    yield from (f"extra {name}" for name in sorted(project["optional-dependencies"]))
    yield from (f"script {name} = {at}" for name, at in sorted(project["scripts"].items()))
    for group, points in sorted(project["entry-points"].items()):
        yield from (f"entry point {group}: {name} = {at}" for name, at in sorted(points.items()))


if __name__ == "__main__":
    FILE.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}")
