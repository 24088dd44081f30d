"""Whatever bytes are read, only documented errors come of them; what is accepted comes back.

In every profile the seeds and some hundred changes of them are read, the same ones each time;
a fuzzer looks for more: in the profile `thorough` at every reader, for longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final

import pytest

from conductor_core import events, initial_state, reduce
from conductor_core.log import LogWriter, replay
from property_tests import fuzz
from property_tests.fuzz_mutations import mutated
from property_tests.fuzz_seeds import seeds
from property_tests.fuzz_targets import CHECKED, TARGETS, lines_of
from property_tests.profiles import by_profile

ROOT: Final = Path(__file__).parents[1]
CHANGED: Final = by_profile(dev=300, ci=5_000, thorough=50_000)
"""So many changed inputs each target is given."""
SECONDS: Final = by_profile(dev=2, ci=5, thorough=20)
"""So long the fuzzer tries each target."""
FUZZED: Final = by_profile(dev=("event",), ci=tuple(TARGETS), thorough=tuple(TARGETS))
"""What the fuzzer tries."""


@cache
def seeds_of(target: str) -> tuple[bytes, ...]:
    """The seeds of a target."""
    return tuple(seeds(target))


def changed(target: str, number: int) -> bytes:
    """A seed that was changed once, or a few times; the same one for the same number."""
    chance = Random(f"{target} {number}")
    data = chance.choice(seeds_of(target))
    for _ in range(1 + chance.randrange(3)):
        data = mutated(data, chance, chance.choice(seeds_of(target)))
    return data


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_accepted(target: str) -> None:
    """Every seed is what its target reads, and there are the same ones each time."""
    assert [*seeds(target)] == [*seeds_of(target)]
    refused = [data for data in seeds_of(target) if not TARGETS[target](data)]
    assert refused == []


@pytest.mark.parametrize("target", TARGETS)
def test_changed_seeds_keep_every_promise(target: str) -> None:
    """Of bytes that were changed some are accepted and some refused; nothing else comes of them."""
    run = TARGETS[target]
    accepted = sum(run(changed(target, number)) for number in range(CHANGED))
    assert CHANGED / 50 < accepted < CHANGED / 2


def test_the_same_chance_makes_the_same_change() -> None:
    """What the fuzzer found once is found again under the same seed."""
    data, other = seeds_of("log")[:2]
    one, again = (mutated(data, Random(7), other) for _ in range(2))
    assert one == again != data


def test_a_promise_that_is_broken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """That an event is written as another one does not go unnoticed."""
    resumed = {"type": "resume-requested", "at_ms": 0, "by": "ana"}
    monkeypatch.setattr("conductor_core.codec.encode_event", lambda _: resumed)
    with pytest.raises(AssertionError):
        TARGETS["event"](b'{"type":"pause-requested","at_ms":0,"by":"ana"}')


def test_a_changed_log_may_be_played_anew() -> None:
    """Some changed logs are those of other events, whose digests fit."""
    start = initial_state(CHECKED, flow_id="flow")
    writer = LogWriter(start, at_ms=0)
    after = reduce(start, event := events.FlowStarted(at_ms=0))
    data = (writer.header() + writer.entry(event, after)).encode()
    others = [mutated(data, Random(number), data) for number in range(200)]
    replayed = [other for other in others if TARGETS["log"](other)]
    assert {replay(lines_of(other)).state.started for other in replayed} == {True, False}


def test_a_finding_can_be_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The content of a file is given to a target on its own."""
    file = tmp_path / "finding"
    file.write_bytes(seeds_of("event")[0])
    assert fuzz.main(["--file", str(file), "event"]) == 0
    assert capsys.readouterr().out == "accepted\n"


def test_every_target_has_seeds_and_a_name() -> None:
    """The fuzzer knows every target, without loading it before it is instrumented."""
    assert tuple(TARGETS) == fuzz.TARGETS


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python")
@pytest.mark.parametrize("target", FUZZED)
def test_the_fuzzer_finds_nothing(target: str, tmp_path: Path) -> None:
    """No promise is broken by bytes that are grown to reach as much code as can be."""
    options = ["--seconds", str(SECONDS), "--seed", "1", target]
    places = (str(ROOT), str(ROOT / "adapters"))
    ran = subprocess.run(
        [sys.executable, "-m", "property_tests.fuzz", *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-5_000:]
