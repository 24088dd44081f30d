"""A log that a run goes on with: held, verified, and fit to be gone on with here.

Rule: whatever would keep the flow from its end here is told before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from conductor_adapters.cli.flow_file import read_flow
from conductor_adapters.journal import LogFile
from conductor_adapters.shell import missing_environment
from conductor_adapters.workers import Workers
from conductor_core.codec import encode_spec
from conductor_core.differences import differences
from conductor_core.errors import ConductorError, LogError, Problem
from conductor_core.flowfile import SHELL
from conductor_core.log import Replay
from conductor_core.payload import freeze
from conductor_core.places import join
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

TOLD: Final = 5
"""So many differences between a flow file and a log are told."""


def resumed_log(
    path: Path, file: Path | None, workers: Workers, *, fsync: bool
) -> tuple[LogFile, Replay]:
    """Take hold of the log to go on with; the flow in `file`, if it is given, must be its flow."""
    try:
        log, replayed = LogFile.resume(path, fsync=fsync)
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    except LogError as error:
        raise ConductorError(f"{path}: {error}") from None
    state = replayed.state
    if file is not None:
        _check_same(file, read_flow(file, workers), path, state.spec)
    problems = [*workers.missing(state), *_missing_here(state)]
    if problems:
        raise ConductorError("\n".join(f"{path}: {place}: {text}" for place, text in problems))
    return log, replayed


def _check_same(file: Path, spec: FlowSpec, log: Path, logged: FlowSpec) -> None:
    """Refuse a log of another flow than the one in the file; inputs may have been set."""
    found = list(differences(_without_inputs(logged), _without_inputs(spec)))
    if found:
        more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
        lines = "".join(f"\n  {line}" for line in (*found[:TOLD], *more))
        raise ConductorError(
            f"{log}: the log of another flow than that in {file} (expected is the log's):{lines}"
        )


def _without_inputs(spec: FlowSpec) -> dict[str, Any]:
    """The wire form of a flow, but for its inputs."""
    metadata: dict[str, Any] = dict(spec.metadata.value)
    metadata.pop("inputs", None)
    return encode_spec(evolve(spec, metadata=freeze(metadata)))


def _missing_here(state: FlowState) -> Iterator[Problem]:
    """What steps that have not finished would take from an environment that lacks it."""
    if state.outcome is not None:
        return
    for index, group in enumerate(state.catalog.groups):
        first = state.catalog.span(index).start
        for number, step in enumerate(group.steps):
            if step.handler == SHELL and state.live[first + number].unfinished:
                for place, text in missing_environment(step.input.value, os.environ):
                    yield join(f"groups[{index}].steps[{number}].input", place), text
