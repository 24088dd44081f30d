"""What fuzzing begins with: the project's own files, and what plays of any flow leave behind.

Rule: seeds are made when they are asked for, always the same ones, and each is accepted by
its target.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from conductor_adapters.cli.documents import read_document
from conductor_core.checking.claims import FORMAT as CHECKS
from conductor_core.checking.defaults import default_alphabet
from conductor_core.codec import encode_command, encode_event, encode_state, encode_verdict
from conductor_core.json_text import dumps
from conductor_core.log import read_log
from conductor_core.loglines import Checkpoint
from conductor_core.snapshot import snapshot
from conductor_core.testing.arbitrary.plays import Play, any_play
from conductor_core.testing.scenarios import FORMAT
from property_tests.fuzz_targets import CHECKED, lines_of, written
from property_tests.played_log import log_of

ROOT: Final = Path(__file__).parents[1]
FLOW_FILES: Final = sorted((ROOT / "examples").rglob("flow.yaml"))
SCENARIO_FILES: Final = sorted((ROOT / "tests" / "conformance").glob("*.yaml"))
PLAYS: Final = 48
CLAIMS: Final[list[dict[str, Any]]] = [
    {
        "name": "nothing is applied unseen",
        "never": {
            "step": "apply",
            "status": ["queued", "in-progress"],
            "before": {"step": "plan", "approved": True},
        },
    },
    {"always": {"any": [{"not": {"flow": "error"}}, {"reason": ["failed", "denied"]}]}},
    {"sometimes": {"all": [{"step": ["plan", "apply"], "status": "success"}]}},
    {"eventually": {"flow": ["success", "error", "cancelled"]}},
    {"leads-to": {"from": {"step": "plan", "status": "approval-denied"}, "to": {"flow": "error"}}},
    {"never": {"after": {"flow": "cancelled"}, "step": "plan", "approved": False}},
]
"""A claim of every kind, with every key that a condition may have."""


def seeds(target: str) -> Iterator[bytes]:
    """What a target is given first, each once."""
    yield from dict.fromkeys(_SEEDS[target]())


def _plays() -> Iterator[Play]:
    """Plays of any flow, all of them short, since many are to be tried."""
    for number in range(PLAYS):
        yield any_play(random.Random(f"seed {number}").randrange, 4 + number % 12)


def _logs() -> Iterator[bytes]:
    """Logs that were recorded; and one with a checkpoint, for which they are too short."""
    logs = [log_of(play).encode() for play in _plays()]
    yield from logs
    lines = [*read_log(lines_of(logs[-1]))]
    yield written([*lines[:3], Checkpoint(checkpoint=2, state="", digest=""), *lines[3:]])


def _flows() -> Iterator[bytes]:
    """The flow files of the project, and the flow of every scenario."""
    for file in FLOW_FILES:
        yield file.read_bytes()
        yield _text(read_document(file).data)
    for scenario in _scenarios_of_files():
        yield _text(scenario["flow"])


def _scenarios_of_files() -> Iterator[dict[str, Any]]:
    for file in SCENARIO_FILES:
        yield from read_document(file).data["scenarios"]


def _events() -> Iterator[bytes]:
    """Events of every kind, and what becomes of them."""
    for play in _plays():
        for _, event, after in play.steps():
            yield _text(encode_event(event))
            yield _text(encode_verdict(after.verdict))
            yield from (_text(encode_command(command)) for command in after.commands)


def _states() -> Iterator[bytes]:
    """States of every kind, and snapshots of some."""
    for play in _plays():
        for state in islice(play.states(), 0, None, 4):
            yield _text(encode_state(state))
        yield snapshot(play.start).encode()


def _scenarios() -> Iterator[bytes]:
    """Every scenario of the project as a file of its own."""
    for scenario in _scenarios_of_files():
        yield _text({"format": FORMAT, "scenarios": [scenario]})
    yield (ROOT / "tests" / "corners.scenario.yaml").read_bytes()


def _checks() -> Iterator[bytes]:
    """The alphabet of a flow as it is written, and claims of every kind."""
    alphabet = default_alphabet(CHECKED).as_data()
    yield _text({"format": CHECKS, "alphabet": alphabet})
    for claim in CLAIMS:
        yield _text({"format": CHECKS, "claims": [claim]})
    yield _text({"format": CHECKS, "alphabet": {"reruns": 2}, "claims": CLAIMS})


def _text(data: Any) -> bytes:
    return dumps(data).encode()


_SEEDS: Final[Mapping[str, Callable[[], Iterator[bytes]]]] = {
    "log": _logs,
    "flow": _flows,
    "event": _events,
    "state": _states,
    "scenario": _scenarios,
    "checks": _checks,
}
