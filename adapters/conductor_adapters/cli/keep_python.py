"""A function of the user's own that says whether a run shows a behaviour.

Rule: it stands in a file that was named on the command line, which runs as any Python does; no
log and no flow file ever names one.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

from conductor_adapters.debugger.shrink import Keeps, Run
from conductor_core.errors import ConductorError, shown


def keeps_by_python(text: str) -> Keeps:
    """The function that `FILE:FUNCTION` names; it is given all states, and all entries."""
    file, name = named(text)
    function = _function(file, name)

    def keeps(run: Run) -> bool:
        try:
            said = function(tuple(run.states), run.entries)
        except (Exception, SystemExit) as error:
            raise ConductorError(f"--keep-python: {text} raised {_told(error)}") from error
        if not isinstance(said, bool):
            raise ConductorError(f"--keep-python: {text} returned {shown(said)}, expected a bool")
        return said

    return keeps


def named(text: str) -> tuple[Path, str]:
    """The file and the name of a function in it; raises ConductorError for anything else."""
    file, colon, name = text.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise ConductorError(f"--keep-python: expected FILE:FUNCTION, got {shown(text)}")
    return Path(file), name


def _function(file: Path, name: str) -> Callable[..., object]:
    try:
        names = runpy.run_path(str(file))
    except OSError as error:
        raise ConductorError(f"--keep-python: {file}: {error.strerror or error}") from None
    except (Exception, SystemExit) as error:
        raise ConductorError(f"--keep-python: {file} raised {_told(error)}") from error
    function = names.get(name)
    if not callable(function):
        raise ConductorError(f"--keep-python: {file} has no function {name}")
    return function  # type: ignore[no-any-return]  # callable, and nothing more is known of it


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
