"""Two flow files compared: the search behind `conductor diff`, and the witnesses it writes.

Rule: nothing is run. Whether witnesses can be written is known before the search begins; a
folder that has something in it is refused, unless it is said that files may be replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from conductor_adapters.cli.check_choices import Choices
from conductor_adapters.cli.check_files import names_of
from conductor_adapters.cli.check_progress import MIB, Watch, watched_by_people
from conductor_adapters.cli.cores import cores
from conductor_adapters.cli.new_files import write
from conductor_adapters.cli.search_options import check_memory, driver_of
from conductor_adapters.debugger.facts import Fact
from conductor_adapters.debugger.reach import FlowDiff, common_alphabet, flow_diff_of
from conductor_core.checking import Alphabet, Checked, Reductions, check, default_alphabet
from conductor_core.checking.defaults import full_alphabet
from conductor_core.checking.properties import Survey
from conductor_core.errors import ConductorError
from conductor_core.spec import FlowSpec

SIDES: Final = {"gone": "only-in-a", "new": "only-in-b"}
"""How the names of witnesses begin."""


@frozen(kw_only=True)
class Compared:
    """Two flow files that were compared: their names, the result, why it is not complete."""

    files: tuple[str, str]
    diff: FlowDiff
    max_states: int
    max_memory_mib: int | None
    cause: str | None
    seconds: float
    memory: int
    written: Mapping[tuple[str, Fact], Path] = field(factory=dict)


def compared(
    files: tuple[str, str],
    a: FlowSpec,
    b: FlowSpec,
    *,
    full: bool,
    max_states: int,
    max_memory: int | None,
    processes: int | None,
    **choices: Any,
) -> Compared:
    """Search both flows, from the options; raises ConductorError."""
    check_memory(max_memory)
    alphabet = common_alphabet(full_alphabet if full else default_alphabet, a, b)
    chosen = Choices(**choices)
    alphabet = chosen.applied_to(chosen.applied_to(alphabet, a), b)
    most = None if max_memory is None else max_memory * MIB
    with Watch(max_memory=most, draws=watched_by_people()) as watch:

        def search(
            spec: FlowSpec, survey: Survey, *, alphabet: Alphabet, reductions: Reductions
        ) -> Checked:
            return check(
                spec,
                alphabet=alphabet,
                theorems=(),
                survey=survey,
                reductions=reductions,
                max_states=max_states,
                driver=driver_of(processes or cores()),
                enough=watch.enough,
                progress=watch.progress,
            )

        diff = flow_diff_of(a, b, alphabet, search)
    return Compared(
        files=files,
        diff=diff,
        max_states=max_states,
        max_memory_mib=max_memory,
        cause=watch.cause,
        seconds=watch.seconds,
        memory=watch.peak,
    )


# --- witnesses ---


def check_witnesses(folder: Path | None, *, replace: bool) -> None:
    """Make the folder for witnesses, unless it is there; refuse one that has something in it."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = next(folder.iterdir(), None)
    except OSError as error:
        raise ConductorError(f"--witnesses: {folder}: {error.strerror or error}") from None
    if taken is not None and not replace:
        raise ConductorError(
            f"--witnesses: {folder} is not empty (it has {taken.name}); --replace writes over files"
        )


def write_witnesses(folder: Path, diff: FlowDiff) -> dict[tuple[str, Fact], Path]:
    """Write the story of each difference as a log; tells where it is."""
    reached = {
        f"{SIDES[side]} {it.fact.says}": (side, it)
        for side, found in (("gone", diff.gone), ("new", diff.new))
        for it in found
    }
    written: dict[tuple[str, Fact], Path] = {}
    for says, name in names_of(reached).items():
        side, it = reached[says]
        path = folder / f"{name}.jsonl"
        write(path, it.story.log())
        written[side, it.fact] = path
    return written
