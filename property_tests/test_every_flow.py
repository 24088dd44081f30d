"""All flows of a few steps, in all their states: no theorem is ever broken.

What comes of each scope is pinned in `every_flow`; how much is searched is up to the profile.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

import pytest

from property_tests import every_flow
from property_tests.every_flow import SAMPLES, SCOPES, Counts, Scope, Sum, add_up, main
from property_tests.profiles import by_profile

CORES: Final = os.cpu_count() or 1
PROCESSES: Final = by_profile(dev=1, ci=CORES, thorough=CORES)
SEARCHED: Final = by_profile(
    dev=("1 step", "1 step, much more"),
    ci=("1 step", "1 step, much more", "2 steps", "some of 2 steps, much more"),
    thorough=tuple(SCOPES),
)


@cache
def found_in(name: str) -> Sum:
    """What a search of this name finds."""
    return add_up((SCOPES | SAMPLES)[name], processes=PROCESSES)


@pytest.mark.parametrize("name", SAMPLES)
def test_some_flows_of_every_size(name: str) -> None:
    """None of these flows of two, three and four steps breaks a theorem."""
    found = found_in(name)
    assert found.bad == ()
    assert found.counts == SAMPLES[name].pinned


@pytest.mark.parametrize("name", SEARCHED)
def test_every_flow_of_few_steps(name: str) -> None:
    """No flow of this size breaks a theorem."""
    found = found_in(name)
    assert found.bad == ()
    assert found.counts == SCOPES[name].pinned


def test_flows_of_one_step_end_in_every_way() -> None:
    """A single step is enough for every status and nearly every reason of an outcome."""
    assert found_in("1 step, much more").outcomes == {
        ("success", None),
        ("cancelled", "cancelled"),
        *(
            ("error", reason)
            for reason in (
                "cancelled-externally",
                "denied",
                "failed",
                "policy-denied",
                "retries-exhausted",
                "skipped-dependents",
                "stopped-by-step",
                "terminal-error",
                "unknown-directive",
            )
        ),
    }


def test_parts_and_processes_make_no_difference() -> None:
    """However the flows are shared out, the same is found."""
    scope = SCOPES["1 step"]
    whole = add_up(scope)
    assert add_up(scope, processes=2) == whole
    parts = [add_up(scope, part=slice(first, None, 3)) for first in range(3)]
    assert sum(parts, start=Sum()) == whole


@pytest.mark.parametrize("arguments", [["--processes", "1"], ["--part", "0/1"]])
def test_the_driver_tells_what_it_found(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts of every scope are printed, with what was broken and how long it took."""
    monkeypatch.setattr(every_flow, "SCOPES", {"1 step": SCOPES["1 step"]})
    assert main(["--steps", "1", *arguments]) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 step: 16 flows, 966 states, 3,028 transitions, 0 violations, ")


def test_other_counts_are_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts that are not the pinned ones end with code 1, and are told beside these."""
    pinned = Counts(flows=16, states=966, transitions=3_027)
    monkeypatch.setattr(every_flow, "SCOPES", {"1 step": Scope(steps=1, pinned=pinned)})
    assert main(["--processes", "1"]) == 1
    assert f"1 step: other counts were expected: {pinned}" in capsys.readouterr().out
