"""The command line: what every command says of itself, with all its options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import click

from conductor_adapters.cli.main import conductor
from conductor_adapters.cli.sections import SECTIONS
from docs.generating.markdown import code, page, table

_CODES: Final = [
    ["0", "fine"],
    ["1", "the thing asked is false, or failed"],
    ["2", "usage, or bad input"],
    ["3", "it waits for a person"],
]


def command_line_page() -> str:
    """All commands, by what they are for."""
    group = cast("click.Group", conductor)
    context = click.Context(group, info_name="conductor", color=False)
    return page(
        "Command line",
        "`conductor` comes with the extra `cli`. Every command tells the same by `--help`.",
        "Exit codes, unless the page of a command says more:",
        table(["code", "meaning"], _CODES),
        *(
            part
            for title, names in SECTIONS.items()
            for part in (f"## {title}", *_section(group, context, sorted(names)))
        ),
    )


def _section(group: click.Group, context: click.Context, names: list[str]) -> Iterator[str]:
    for name in names:
        command = group.get_command(context, name)
        assert command is not None, f"{name} is no command"
        yield from _command(command, click.Context(command, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"`{context.command_path} {pieces}`"
    yield _told(command.help or "")
    if rows := [row for option in command.params if (row := _option(option, context))]:
        yield table(["option", "meaning", "default"], rows)
    if epilog := getattr(command, "epilog", None):
        yield "```\n" + epilog.replace("\b\n", "") + "\n```"
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None, f"{name} is no command"
            yield from _command(below, click.Context(below, info_name=name, parent=context))


def _told(text: str) -> str:
    """The help of a command, whose paragraphs are kept and whose marks for terminals are not."""
    return "\n\n".join(
        " ".join(part.replace("\b", "").split()) for part in text.partition("\f")[0].split("\n\n")
    )


def _option(option: click.Parameter, context: click.Context) -> list[str] | None:
    if not isinstance(option, click.Option) or option.hidden:
        return None
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    return [code(names + value), option.help or "", _default(option, context)]


def _default(option: click.Option, context: click.Context) -> str:
    default = option.get_default(context, call=False)
    if (
        option.multiple
        or option.is_flag
        or callable(default)
        or not isinstance(default, (str, int, float))
    ):
        return ""
    return code(default)
