"""A log that is read in a hurry is read as strictly as one that is not, whatever is in it."""

from __future__ import annotations

from random import Random
from typing import Any, NoReturn

import pytest
from attrs import evolve

from conductor_core.errors import ConductorError
from conductor_core.log import replay
from conductor_core.scanners import STANDARD, Scanner, best
from property_tests.played_log import log_of, played


def _refuse(*_: Any) -> NoReturn:
    raise ValueError


STRICT = Scanner("none", _refuse, _refuse)
"""With it every line takes the strict path."""

SPLINTERS = (
    *(b"\\ud800", b"\\u0041", b"1E2", b"1.0", b"-0", b"NaN", b"9" * 25, b"1" * 5000, b"\xff"),
    *(b"[" * 200, b" ", b"\n", b"null", b"true", b'"', b"}", b',"at_ms":1', b',"x":1', b"\xc3\xa9"),
)


def outcome(lines: list[bytes], scanner: Scanner) -> object:
    """What a replay comes to: its result, or its error."""
    try:
        result = replay(lines, scanner=scanner)
        return evolve(result, truncated=None), str(result.truncated)
    except ConductorError as error:
        return type(error), str(error)


def damaged(log: bytes, random: Random) -> bytes:
    """A log with a splinter in it, or without some bytes, or with others twice."""
    start = random.randrange(len(log))
    stop = start + random.choice((0, 1, 1, 2, 8, 30))
    return log[:start] + random.choice((b"", log[start:stop] * 2, *SPLINTERS)) + log[stop:]


@pytest.mark.parametrize("seed", range(60))
def test_no_damage_makes_a_difference(seed: int) -> None:
    """The same state or the same error, with either scanner and without any."""
    random = Random(seed)
    whole = log_of(played(str(seed), 30)).encode()
    for log in (whole, *(damaged(whole, random) for _ in range(20))):
        lines = log.splitlines(keepends=True)
        strict = outcome(lines, STRICT)
        assert outcome(lines, STANDARD) == strict
        assert outcome(lines, best()) == strict
