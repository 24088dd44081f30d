"""Digests: equal things have equal names, everywhere and for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conductor_core import initial_state, reduce
from conductor_core.digest import chain, digest_of, state_digest
from conductor_core.testing import given
from conductor_core.testing.brief import START, flow, group, succeeded

SPEC = flow(group("g1", "a", "b"), group("g2", "c", "d", parallel=True))


def test_a_digest_is_sha_256_of_utf_8() -> None:
    """Any other implementation comes to the same digest."""
    assert digest_of("abc") == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert digest_of("ä") == (
        "sha256:33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"
    )


def test_a_chain_pins_what_came_before() -> None:
    """A link depends on its text and on all links before it, in their order."""
    first, second = chain(digest_of(""), "a"), chain(digest_of(""), "b")
    assert chain(first, "b") != chain(second, "a")
    assert chain(digest_of(""), "a") == digest_of(f"{digest_of('')}\na")


def test_equal_states_have_equal_digests() -> None:
    """Different histories that mean the same have one digest; a difference has another (S1.6)."""
    one = given(SPEC, START, succeeded("a#1"), succeeded("b#1"), succeeded("c#1")).state
    other = given(SPEC, START, succeeded("a#1"), succeeded("b#1"), succeeded("c#1")).state
    ignored = reduce(other, START).state
    assert one is not other
    assert state_digest(one) == state_digest(other) == state_digest(ignored)
    assert state_digest(reduce(one, succeeded("d#1")).state) != state_digest(one)
    assert state_digest(initial_state(SPEC, "f")) != state_digest(initial_state(SPEC, "g"))


GOLDEN = "sha256:3b4d857ecd70f7ddcc277e7c558339dc4165725bc4f119008fd03b2ff575ddfe"
PROGRAM = """
from conductor_core.digest import state_digest
from conductor_core.testing import given
from conductor_core.testing.brief import START, failed, flow, group, succeeded
spec = flow(group("g1", "a", "b"), group("g2", "c", "d", parallel=True))
first = succeeded("a#1", output={"z": 1, "a": [1.5, "é"]})
print(state_digest(given(spec, START, first, succeeded("b#1"), failed("d#1")).state))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_a_digest_does_not_depend_on_the_hash_seed(seed: str) -> None:
    """The digest of a state is the same in every process, and the same as it always was."""
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert run.stdout.strip() == GOLDEN
