"""Every flow of a few steps, each searched for all that it can do, and the theorems of each.

Rule: what is searched stands in `SCOPES`, with the counts that it must come to: a change of
the rules, of an alphabet or of the keys of states shows in them, and stands there after.

    python -m property_tests.every_flow --steps 2 3 --processes 2
    python -m property_tests.every_flow --steps 3 --part 0/4
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Final

from attrs import evolve, field, frozen

from conductor_core import FlowSpec
from conductor_core.checking import Alphabet, Checked, check, directed
from conductor_core.checking.alphabet import CANCELLED, DENIED, FAIL, OK, TERMINAL
from conductor_core.codec import encode_spec
from conductor_core.json_text import dumps
from property_tests.small_flows import flows, flows_in_pairs

ALPHABET: Final = Alphabet(
    endings=(OK, FAIL, CANCELLED, DENIED),
    answers=("approve", "deny", "skip-current", "skip-current-and-dependents", "retry"),
    operations=("retry-step", "skip-step", "retry-group"),
    impostors=True,
    cancels=True,
    pauses=True,
    reruns=1,
    replans=1,
)
"""What happens to flows of every size: what the checker tries by default, but for what follows.

Work ends well, fails, is cancelled outside, or is denied by its policy; people answer in every
way there is, cancel, pause and resume at any moment, rerun once and have one plan made
again; open timers fire at any moment. Of the checker's own alphabet a no-op, a policy that
passes and an answer that comes too late are left out, since they differ from what is here
only for steps that declare something which no step of these flows declares; reports of a
start and continue-as-new are left to the smallest flows (`MUCH_MORE`).
"""

MUCH_MORE: Final = evolve(
    ALPHABET,
    endings=(
        *ALPHABET.endings,
        TERMINAL,
        directed("skip-group"),
        directed("stop"),
        directed("await-approval"),
        directed("retry-group"),
        directed("retry", failed=True),
        directed("await-retry", failed=True),
        directed("stop", failed=True),
        directed("unheard-of"),
    ),
    starts=True,
    options=("approve-all",),
    suggestions=1,
)
"""What happens to the smallest flows besides: every directive of the work's own choice, one that
nobody knows, failures for good, approvals that an option gives, and continue-as-new.
"""


@frozen(kw_only=True)
class Counts:
    """How many flows were searched, and all that was met in them."""

    flows: int
    states: int
    transitions: int

    def __str__(self) -> str:
        return f"{self.flows:,} flows, {self.states:,} states, {self.transitions:,} transitions"


@frozen(kw_only=True)
class Scope:
    """Flows that are searched under an alphabet, and the counts that this comes to.

    `every`: only so many of them, evenly spread. `pairs`: only some in which all choices meet.
    """

    steps: int
    alphabet: Alphabet = ALPHABET
    every: int = 1
    pairs: bool = False
    pinned: Counts

    def flows(self) -> Iterator[FlowSpec]:
        """The flows."""
        found = flows_in_pairs(self.steps) if self.pairs else flows(self.steps)
        return islice(found, 0, None, self.every)


SCOPES: Final = {
    "1 step": Scope(
        steps=1,
        pinned=Counts(flows=16, states=966, transitions=3_028),
    ),
    "1 step, much more": Scope(
        steps=1,
        alphabet=MUCH_MORE,
        pinned=Counts(flows=16, states=12_660, transitions=66_528),
    ),
    "2 steps": Scope(
        steps=2,
        pinned=Counts(flows=384, states=108_357, transitions=443_880),
    ),
    "some of 2 steps, much more": Scope(
        steps=2,
        alphabet=MUCH_MORE,
        every=19,
        pinned=Counts(flows=21, states=137_499, transitions=898_744),
    ),
    "3 steps": Scope(
        steps=3,
        pinned=Counts(flows=7_168, states=7_541_115, transitions=37_340_662),
    ),
    "4 steps, in pairs": Scope(
        steps=4,
        pairs=True,
        pinned=Counts(flows=34, states=21_660, transitions=100_386),
    ),
}
"""All that is searched, and what it comes to."""

SAMPLES: Final = {
    "some of 2 steps": Scope(
        steps=2,
        every=19,
        pinned=Counts(flows=21, states=6_687, transitions=27_813),
    ),
    "some of 3 steps": Scope(
        steps=3,
        every=401,
        pinned=Counts(flows=18, states=8_493, transitions=38_510),
    ),
    "some of 4 steps": Scope(
        steps=4,
        pairs=True,
        every=5,
        pinned=Counts(flows=7, states=2_354, transitions=9_601),
    ),
}
"""What is quick, and what it comes to."""


@frozen(kw_only=True)
class Sum:
    """What was looked at, all in all, and every claim that is not true."""

    counts: Counts = Counts(flows=0, states=0, transitions=0)
    outcomes: frozenset[tuple[str, str | None]] = field(default=frozenset())
    bad: tuple[str, ...] = ()

    def __add__(self, other: Sum) -> Sum:
        mine, its = self.counts, other.counts
        return Sum(
            counts=Counts(
                flows=mine.flows + its.flows,
                states=mine.states + its.states,
                transitions=mine.transitions + its.transitions,
            ),
            outcomes=self.outcomes | other.outcomes,
            bad=(*self.bad, *other.bad),
        )


def look_at(spec: FlowSpec, alphabet: Alphabet = ALPHABET) -> Sum:
    """Hold the theorems against one flow."""
    checked = check(spec, alphabet=alphabet)
    return Sum(
        counts=Counts(flows=1, states=checked.states, transitions=checked.transitions),
        outcomes=checked.outcomes,
        bad=tuple(_stories(checked)),
    )


def _stories(checked: Checked) -> Iterator[str]:
    """Every claim that is not true of a flow, with the events that show it."""
    for finding in checked.findings:
        if not finding.is_good:
            yield f"{finding} of {dumps(encode_spec(checked.spec))}\n{finding.story}"


def add_up(scope: Scope, *, part: slice = slice(None), processes: int = 1) -> Sum:
    """Hold the theorems against every flow of a scope, or of a part of it.

    The sum depends neither on how many processes share the work nor on their speed.
    """
    chosen = islice(scope.flows(), part.start, part.stop, part.step)
    look = partial(look_at, alphabet=scope.alphabet)
    if processes == 1:
        return _sum(map(look, chosen))
    # Started afresh, since a fork of a process with threads may hang.
    with get_context("spawn").Pool(processes) as pool:
        return _sum(pool.imap(look, chosen))


def _sum(found: Iterable[Sum]) -> Sum:
    return sum(found, start=Sum())


def main(arguments: list[str] | None = None) -> int:
    """Search every flow of these sizes; 1 when a claim is not true or a count is another one."""
    parser = argparse.ArgumentParser(
        prog="python -m property_tests.every_flow", description=main.__doc__
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--samples", action="store_true", help="only what is quick")
    parser.add_argument("--part", type=_part, help="K/N: every N-th flow, from the K-th on")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    # A list, so that every scope is searched and told of.
    good = [
        _searched(name, scope, given.part, given.processes)
        for name, scope in (SAMPLES if given.samples else SCOPES).items()
        if scope.steps in given.steps
    ]
    return 0 if all(good) else 1


def _part(text: str) -> slice:
    """The flows of one part of many: `0/4` is every fourth one."""
    first, _, parts = text.partition("/")
    return slice(int(first), None, int(parts))


def _searched(name: str, scope: Scope, part: slice | None, processes: int) -> bool:
    """Search a scope, or a part of it, and tell of it; whether all is as it should be."""
    begun = time.perf_counter()
    found = add_up(scope, part=part or slice(None), processes=processes)
    took = time.perf_counter() - begun
    print(f"{name}: {found.counts}, {len(found.bad)} violations, {took:.0f} s", flush=True)
    for story in found.bad:
        print(story)
    if part is not None or found.counts == scope.pinned:
        return not found.bad
    print(f"{name}: other counts were expected: {scope.pinned}")
    return False


if __name__ == "__main__":
    sys.exit(main())
