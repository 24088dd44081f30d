"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from conductor_adapters.cli.main import COMMANDS, POSIX_ONLY, conductor
from conductor_adapters.cli.sections import SECTIONS
from docs.generating.exits import EXITS
from docs.generating.markdown import as_json, bullets, code, page, paragraphs, slug, table

HELP: Final = (
    "Every command has `--help`. What is wrong with the input is told in a line on the standard "
    "error, and the exit code is 2."
)


def commands_of(name: str) -> Iterator[tuple[str, click.Context]]:
    """The command of a name, or those of a group of commands, with their contexts."""
    top = click.Context(conductor, info_name="conductor")
    command = conductor.get_command(top, name)
    assert command is not None, name
    yield from _commands(click.Context(command, info_name=name, parent=top), name)


def _commands(context: click.Context, name: str) -> Iterator[tuple[str, click.Context]]:
    group = context.command
    if not isinstance(group, click.Group):
        yield name, context
        return
    for part in sorted(group.commands):
        inner = click.Context(group.commands[part], info_name=part, parent=context)
        yield from _commands(inner, f"{name} {part}")


def command_line() -> str:
    """The page."""
    assert sorted(COMMANDS) == sorted(name for names in SECTIONS.values() for name in names)
    parts = [HELP]
    for title, names in SECTIONS.items():
        rows = [(f"[`{name}`](#{_first_anchor(name)})", told) for name, told in names.items()]
        parts += [f"## {title}", table(("command", "what it does"), rows)]
        parts += [_told(name, context) for each in names for name, context in commands_of(each)]
    return page("Command line", *parts)


def _first_anchor(name: str) -> str:
    """Where the first command of a name is told."""
    first, _ = next(commands_of(name))
    return slug(f"conductor {first}")


def _told(name: str, context: click.Context) -> str:
    """A command with all that it takes, and how it ends."""
    command = context.command
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    about = paragraphs(command.callback)
    options = [_option(it, context) for it in command.params if isinstance(it, click.Option)]
    arguments = [
        told
        for it in command.params
        if isinstance(it, click.Argument) and (told := _argument(it, context))
    ]
    exits = [(str(exit_code), meaning) for exit_code, meaning in sorted(EXITS[name].items())]
    posix = ["On Linux and macOS only."] if name.partition(" ")[0] in POSIX_ONLY else []
    parts = [
        f"### conductor {name}",
        code(usage),
        *about,
        *posix,
        *([bullets((*arguments, *options))] if arguments or options else []),
        table(("exit code", "meaning"), exits),
    ]
    return "\n\n".join(parts)


def _argument(argument: click.Argument, context: click.Context) -> str:
    """What an argument takes, where its name does not say it."""
    notes = _notes(argument, context)
    return f"{code(argument.make_metavar(context))}: {'; '.join(notes)}." if notes else ""


def _option(option: click.Option, context: click.Context) -> str:
    """What an option takes, what it does, and what holds without it."""
    names = ", ".join((*option.opts, *option.secondary_opts))
    takes = "" if option.is_flag else f" {_metavar(option, context)}"
    notes = "; ".join(_notes(option, context))
    told = " ".join((option.help or "").split())
    return f"{code(names + takes)}: {told}" + (f" ({notes})" if notes else "")


def _metavar(option: click.Option, context: click.Context) -> str:
    """What stands for the value."""
    if option.metavar is None and isinstance(option.type, (click.IntRange, click.FloatRange)):
        return "N"
    return option.make_metavar(context)


def _notes(parameter: click.Parameter, context: click.Context) -> list[str]:
    """What is allowed, and what holds when nothing is given."""
    notes = []
    if isinstance(parameter, click.Option):
        if parameter.required:
            notes.append("required")
        if parameter.envvar:
            notes.append(f"or the variable `{parameter.envvar}`")
    elif isinstance(parameter.type, click.Choice):
        notes.append("one of " + ", ".join(f"`{choice}`" for choice in parameter.type.choices))
    if isinstance(parameter.type, (click.IntRange, click.FloatRange)):
        notes += _range(parameter.type)
    default = _default(parameter, context)
    return [*notes, *([f"default: {default}"] if default else [])]


def _range(kind: click.IntRange | click.FloatRange) -> list[str]:
    if kind.min is None:
        return []
    return [f"from {kind.min:g} to {kind.max:g}" if kind.max else f"at least {kind.min:g}"]


def _default(parameter: click.Parameter, context: click.Context) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    default = parameter.to_info_dict()["default"]
    if default in (None, False, "", ()) or callable(default):
        return ""
    return code(default if isinstance(default, str) else as_json(default))
