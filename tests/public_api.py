"""All that others may rely on, a line each: `python -m tests.public_api` writes it down.

Rule: a module is public if it has an `__all__`, and so is what stands there, with what can be
called, read and caught of it; so are the commands and options of the command line, the extras,
and the points where the distribution is plugged in. The lines are the same on every Python.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import NoneType
from typing import Any, Final, ForwardRef, cast, is_typeddict

import attrs
import click

from conductor_adapters.cli.main import conductor
from conductor_core.version import VERSION
from docs.generating.python_names import public_modules

FILE: Final = Path(__file__).with_name("public_api.txt")
_PYPROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"
_OURS: Final = ("conductor_core", "conductor_adapters")
_SPOKEN: Final = frozenset(
    f"__{name}__"
    for name in ("aenter", "aexit", "and", "call", "enter", "exit", "invert", "iter", "or")
)
"""What is called by a form of the language."""


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
    elif (meaning := _alias(path)) is not None:
        yield f"{path} = {meaning}"
    elif inspect.isclass(thing):
        yield from _class(path, thing)
    elif inspect.isfunction(thing):
        yield f"{path}{_signature(thing)}"
    else:
        yield f"{path}: {_value(thing)}"


def _alias(path: str) -> str | None:
    """What an alias of types stands for, as it is written; None for anything else."""
    module_name, _, name = path.rpartition(".")
    module = importlib.import_module(module_name)
    for node in _tree(str(module.__file__)).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=known), annotation=kind, value=ast.expr()):
                if known == name and ast.unparse(kind) == "TypeAlias":
                    return ast.unparse(node.value) if node.value else None
            case ast.ImportFrom(module=str(origin), names=names):
                for imported in names:
                    if (imported.asname or imported.name) == name and origin.startswith(_OURS):
                        return _alias(f"{origin}.{imported.name}")
            case _:
                pass
    return None


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


# --- classes ---


def _class(path: str, kind: type) -> Iterator[str]:
    # A frozen record has its slots in a base of its own, which is no part of what it is.
    bases = [base.__name__ for base in kind.__bases__ if base.__name__ != f"Open{kind.__name__}"]
    yield f"{path}: class({', '.join(name for name in bases if name != 'object')})"
    if issubclass(kind, enum.Enum):
        yield from (f"{path}.{member.name} = {member.value!r}" for member in kind)
    elif is_typeddict(kind):
        yield from (f"{path}[{name!r}]: {_plain(of)}" for name, of in kind.__annotations__.items())
    elif attrs.has(kind):
        yield from _fields(path, kind)
    elif "__init__" in vars(kind) and not getattr(kind, "_is_protocol", False):
        yield f"{path}.__init__{_signature(kind.__init__)}"
    yield from (f"{path}.{name}: attribute" for name in sorted(_attributes(kind)))
    for name in sorted(_members(kind)):
        yield from _member(f"{path}.{name}", inspect.getattr_static(kind, name))


def _fields(path: str, kind: type[attrs.AttrsInstance]) -> Iterator[str]:
    for field in attrs.fields(kind):
        if field.init and not field.name.startswith("_"):
            how = "" if field.kw_only else ", by position too"
            yield f"{path}.{field.name}: {_declared(kind, field.name)}{_default(field)}{how}"


def _declared(kind: type, name: str) -> str:
    """The type of a field as it was written; codecs put what it means in its place."""
    return next(
        _plain(inspect.get_annotations(base)[name])
        for base in kind.__mro__
        if name in inspect.get_annotations(base)
    )


def _attributes(kind: type) -> set[str]:
    """What the constructors of ours leave in an object for all to read."""
    found = set[str]()
    for base in kind.__mro__:
        ours = base.__module__.startswith(_OURS) and not attrs.has(base)
        constructor = vars(base).get("__init__") if ours else None
        if inspect.isfunction(constructor):
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(constructor)))):
                match node:
                    case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                        found.add(name)
                    case _:
                        pass
    return {name for name in found if not name.startswith("_")}


def _members(kind: type) -> set[str]:
    """The public names of a class and of those of ours that it is made from."""
    own = {
        name for base in kind.__mro__ if base.__module__.startswith(_OURS) for name in vars(base)
    }
    fields = {field.name for field in attrs.fields(kind)} if attrs.has(kind) else set[str]()
    members = set(kind.__members__) if issubclass(kind, enum.Enum) else set[str]()
    return {name for name in own - fields - members if not name.startswith("_") or name in _SPOKEN}


def _member(path: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        assert member.fget is not None, f"{path} can be read"
        yield f"{path}: property, {_plain(member.fget.__annotations__.get('return', 'Any'))}"
    elif isinstance(member, (staticmethod, classmethod)):
        yield f"{path}: {type(member).__name__} {_signature(member.__func__)}"
    elif inspect.isfunction(member):
        yield f"{path}{_signature(member)}"


# --- what is called, and with what ---


def _signature(function: Any) -> str:
    """As it is written; annotations are texts, and defaults read as they would be written."""
    function = inspect.unwrap(function)
    signature = inspect.signature(function)
    shown = [
        parameter.replace(
            annotation=_told_by(parameter.annotation, _plain),
            default=_told_by(parameter.default, partial(_shown, known=function.__globals__)),
        )
        for parameter in signature.parameters.values()
    ]
    returns = _told_by(signature.return_annotation, _plain)
    text = str(signature.replace(parameters=shown, return_annotation=returns))
    return (": async " if inspect.iscoroutinefunction(function) else "") + text


def _told_by(thing: Any, tell: Callable[[Any], str]) -> Any:
    """What reads as it is told, or nothing where there is nothing."""
    return thing if thing is inspect.Parameter.empty else _As(tell(thing))


class _As:
    """Something that reads as a text, in a signature."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _shown(default: Any, known: Mapping[str, Any]) -> str:
    """A default by the name of the constant that it is, or else as it would be written."""
    if not isinstance(default, (str, int, float, bool, NoneType)):
        for name, value in known.items():
            if value is default:
                return name
    # What others made shows more of itself than is ours to promise.
    of = type(default).__module__
    return (
        repr(default) if of.startswith(("builtins", *_OURS)) else f"{type(default).__name__}(...)"
    )


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return ""
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type] # a class, though not to its stubs
        return " = ..."
    return f" = {field.default!r}"


def _plain(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _value(thing: Any) -> str:
    """A constant by its value where that is plain, and by its kind otherwise."""
    if thing == VERSION:
        return "the version"
    plain = (str, int, bool, tuple, frozenset)
    if isinstance(thing, plain) and all(isinstance(item, plain) for item in _items(thing)):
        return repr(sorted(thing) if isinstance(thing, frozenset) else thing)
    if isinstance(thing, Mapping):
        pairs = (f"{_named(key)}: {_named(value)}" for key, value in thing.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(thing, tuple):
        return f"({', '.join(_named(item) for item in thing)})"
    return _named(thing)


def _named(thing: Any) -> str:
    """A thing by its name, or by its kind and its name."""
    if isinstance(thing, (str, int)):
        return repr(thing)
    name = getattr(thing, "__name__", None) or getattr(thing, "name", "")
    return str(name) if callable(thing) else f"{type(thing).__name__} {name}".rstrip()


def _items(thing: Any) -> tuple[Any, ...]:
    return tuple(thing) if isinstance(thing, (tuple, frozenset)) else ()


# --- the command line, and where the distribution is plugged in ---


def _command(path: str, command: click.Command, context: click.Context) -> Iterator[str]:
    takes = [_argument(p) for p in command.params if isinstance(p, click.Argument)]
    yield " ".join([f"$ {path}", *takes])
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    for option in sorted(options, key=lambda option: option.opts):
        yield f"$ {path} {_option(option)}"
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None, f"{name} is no command"
            yield from _command(f"{path} {name}", below, context)


def _argument(argument: click.Argument) -> str:
    name = f"<{argument.name}>{'...' if argument.nargs != 1 else ''}"
    return name if argument.required else f"[{name}]"


def _option(option: click.Option) -> str:
    said = ["/".join([*option.opts, *option.secondary_opts])]
    if not (option.is_flag or option.count):
        choices = getattr(option.type, "choices", None)
        said.append("|".join(map(str, choices)) if choices else option.type.name.upper())
    said += ["(needed)"] if option.required else []
    said += ["(again and again)"] if option.multiple or option.count else []
    # What is not said is None in some releases of click, and in others a value of its own.
    if isinstance(option.default, (str, int, float)) and not option.is_flag and not option.count:
        said.append(f"= {option.default}")
    return " ".join(said)


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
