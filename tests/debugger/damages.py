"""Logs that were damaged on their way, each with the line at which that must be noticed.

Rule: every damage is chosen by a fixed seed, so that a log has the same ones each time. Lines
count from 1, the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final, Literal, TypeAlias

from attrs import frozen

Lines: TypeAlias = list[bytes]
Noticed: TypeAlias = Literal["error", "warning", "not closed"]


@frozen(kw_only=True)
class Damage:
    """What is left of a log, at which line that is noticed, and how."""

    content: bytes
    line: int
    noticed: Noticed = "error"
    says: str = ""


Kind: TypeAlias = Callable[[Lines, Random], Damage]


def damages(lines: Lines, *, closed: bool, seed: int = 20) -> Iterator[tuple[str, Damage]]:
    """Every kind of damage as often as it is told below, none of them twice."""
    random, seen = Random(seed), {b"".join(lines)}
    for kind, often in KINDS.items() if closed else OPEN_KINDS.items():
        made = 0
        while made < often:
            damage = kind(lines, random)
            if damage.content not in seen:
                seen.add(damage.content)
                made += 1
                yield f"{kind.__name__}-{made}", damage


# --- bits ---


def bit_flipped(lines: Lines, random: Random) -> Damage:
    """One bit of a line after the header is another."""
    line = random.randrange(2, len(lines) + 1)
    at = random.randrange(len(lines[line - 1]) - 1)
    return Damage(content=_flipped(lines, line, at, random.randrange(8)), line=line)


def line_end_flipped(lines: Lines, random: Random) -> Damage:
    """Two lines became one."""
    line = random.randrange(2, len(lines))
    return Damage(content=_flipped(lines, line, -1, random.randrange(8)), line=line)


def last_line_end_flipped(lines: Lines, random: Random) -> Damage:
    """As a line that was cut off while it was written: those before it stand."""
    content = _flipped(lines, len(lines), -1, random.randrange(8))
    return Damage(content=content, line=len(lines), noticed="warning", says="cut off")


def header_flipped(lines: Lines, random: Random) -> Damage:
    """The header can be read, and says something else: the first line that it pins tells."""
    at = lines[0].rindex(b'"at_ms":') + len(b'"at_ms":') + random.randrange(1, 13)
    content = _flipped(lines, 1, at, 0)
    return Damage(content=content, line=2, says="or the header before it")


def header_broken(lines: Lines, random: Random) -> Damage:
    """The header cannot be read."""
    return Damage(content=_flipped(lines, 1, 0, random.randrange(8)), line=1)


def _flipped(lines: Lines, line: int, at: int, bit: int) -> bytes:
    """The log with one bit of a line changed."""
    changed = bytearray(lines[line - 1])
    changed[at] ^= 1 << bit
    return b"".join([*lines[: line - 1], bytes(changed), *lines[line:]])


# --- lines ---


def neighbours_swapped(lines: Lines, random: Random) -> Damage:
    """A line changed places with the one behind it."""
    line = random.randrange(2, len(lines))
    before, (first, second), after = (
        lines[: line - 1],
        lines[line - 1 : line + 1],
        lines[line + 1 :],
    )
    return Damage(content=b"".join([*before, second, first, *after]), line=line)


def far_swapped(lines: Lines, random: Random) -> Damage:
    """Two lines changed places; the first of the two tells."""
    first, second = sorted(random.sample(range(2, len(lines) + 1), 2))
    swapped = list(lines)
    swapped[first - 1], swapped[second - 1] = lines[second - 1], lines[first - 1]
    return Damage(content=b"".join(swapped), line=first)


def header_swapped(lines: Lines, random: Random) -> Damage:
    """The header stands further down."""
    line = random.randrange(2, len(lines) + 1)
    return Damage(content=b"".join([*lines[1:line], lines[0], *lines[line:]]), line=1)


def line_dropped(lines: Lines, random: Random) -> Damage:
    """A line is missing; the one behind it stands in its place."""
    line = random.randrange(2, len(lines))
    return Damage(content=b"".join([*lines[: line - 1], *lines[line:]]), line=line)


def lines_dropped(lines: Lines, random: Random) -> Damage:
    """Some lines are missing."""
    first, second = sorted(random.sample(range(2, len(lines) + 1), 2))
    return Damage(content=b"".join([*lines[: first - 1], *lines[second - 1 :]]), line=first)


def header_dropped(lines: Lines, _random: Random) -> Damage:
    """The header is missing."""
    return Damage(content=b"".join(lines[1:]), line=1)


def line_doubled(lines: Lines, random: Random) -> Damage:
    """A line is there twice; the second one tells."""
    line = random.randrange(1, len(lines) + 1)
    doubled = [*lines[:line], lines[line - 1], *lines[line:]]
    return Damage(content=b"".join(doubled), line=line + 1)


def part_lost(lines: Lines, random: Random) -> Damage:
    """The end of a line is missing, with its line end and the beginning of the next."""
    line = random.randrange(2, len(lines))
    first, second = lines[line - 1 : line + 1]
    kept = first[: random.randrange(1, len(first) - 1)] + second[random.randrange(1, len(second)) :]
    return Damage(content=b"".join([*lines[: line - 1], kept, *lines[line + 1 :]]), line=line)


# --- ends ---


def cut_inside(lines: Lines, random: Random) -> Damage:
    """The log ends inside a line, as after a crash: the lines before it stand."""
    line = random.randrange(2, len(lines) + 1)
    kept = lines[line - 1][: random.randrange(1, len(lines[line - 1]) - 2)]
    content = b"".join([*lines[: line - 1], kept])
    return Damage(content=content, line=line, noticed="warning", says="cut off")


def line_end_lost(lines: Lines, _random: Random) -> Damage:
    """The line end of the last line is missing, and nothing else."""
    content = b"".join(lines)[:-1]
    return Damage(content=content, line=len(lines), noticed="warning", says="has no line end")


def header_cut(lines: Lines, random: Random) -> Damage:
    """There is no whole line."""
    return Damage(content=lines[0][: random.randrange(1, len(lines[0]) - 2)], line=1)


def end_lost(lines: Lines, random: Random) -> Damage:
    """The last lines are missing, the one among them that closes the log."""
    line = random.randrange(2, len(lines) + 1)
    return Damage(content=b"".join(lines[: line - 1]), line=line, noticed="not closed")


OPEN_KINDS: Final[dict[Kind, int]] = {
    bit_flipped: 12,
    line_end_flipped: 3,
    last_line_end_flipped: 2,
    header_flipped: 3,
    header_broken: 2,
    neighbours_swapped: 4,
    far_swapped: 4,
    header_swapped: 2,
    line_dropped: 4,
    lines_dropped: 3,
    header_dropped: 1,
    line_doubled: 5,
    part_lost: 4,
    cut_inside: 5,
    line_end_lost: 1,
    header_cut: 2,
}
"""What can happen to any log, and how often it does here."""
KINDS: Final[dict[Kind, int]] = {**OPEN_KINDS, end_lost: 5}
"""What can happen to a log that was closed."""
