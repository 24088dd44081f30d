"""How long ago something was, as people type it: `30d`, `12h`, `1d 12h`.

Rule: the units are those in which durations are told; a number without one is refused.
"""

from __future__ import annotations

import re
from typing import Final

import click

from conductor_core.durations import UNITS

_SECONDS: Final = dict(UNITS)
_PART: Final = re.compile(rf"([0-9]{{1,6}}) ?({'|'.join(_SECONDS)})")
_WHOLE: Final = re.compile(rf"{_PART.pattern}(?: ?{_PART.pattern})*")


def read_age_ms(text: str) -> int | None:
    """An age in milliseconds; None for what is none, such as one that names a unit twice."""
    if not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    if len({unit for _, unit in parts}) < len(parts):
        return None
    return sum(int(count) * _SECONDS[unit] for count, unit in parts) * 1000


def as_age_ms(_ctx: click.Context, param: click.Parameter, text: str) -> int:
    """The value of an option that is an age, in milliseconds."""
    age_ms = read_age_ms(text)
    if age_ms is None:
        problem = f"{text!r} is no age such as 30d, 12h, 90min, 45s or 1d 12h."
        raise click.BadParameter(problem, param=param)
    return age_ms
