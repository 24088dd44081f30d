"""Options that several commands have, with the same words and the same limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeVar

import click

GRACE_S: Final = 10.0
LONGEST_S: Final = 86_400.0

F = TypeVar("F", bound=Callable[..., object])


def seconds(_ctx: click.Context, param: click.Parameter, value: float) -> float:
    """Refuse what is in every range and no number."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds.", param=param)
    return value


def with_settings(command: F) -> F:
    """Give a command the option --set, as its argument `settings`."""
    option = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Fill one of the flow's inputs (metadata.inputs); may be repeated.",
    )
    return option(command)


def with_grace(command: F) -> F:
    """Give a command the option --grace, in seconds."""
    option = click.option(
        "--grace",
        type=click.FloatRange(0, LONGEST_S),
        default=GRACE_S,
        show_default=True,
        metavar="SECONDS",
        callback=seconds,
        help="How long running work may take to end when this is to stop.",
    )
    return option(command)
