"""A flow file on disk, read together with the handlers that its steps name.

Rule: what would keep the flow from running is told before anything starts, every problem
with its place in the file as it was written. A file of another kind is told as what it is.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from conductor_adapters.cli.documents import (
    Document,
    DocumentError,
    parse_document,
    read_content,
)
from conductor_adapters.shell import input_problems, missing_environment
from conductor_adapters.workers import Handler, Workers
from conductor_core import initial_state
from conductor_core.codec import decode_flow, loads
from conductor_core.errors import ConductorError, FormatError, Problem, SpecError
from conductor_core.flowfile import SHELL
from conductor_core.loglines import FORMAT as LOG
from conductor_core.places import join
from conductor_core.spec import FlowSpec
from conductor_core.testing.scenarios import FORMAT as SCENARIOS


def read_flow(path: Path, workers: Workers) -> FlowSpec:
    """Read a flow that these workers can run; raise ConductorError with every problem."""
    return _read_flow(path, workers, os.environ)


def read_flow_for_others(path: Path, workers: Workers | None) -> FlowSpec:
    """Read a flow that runs in other processes, whose environment is another.

    None stands for workers of which nobody knows what they do.
    """
    return _read_flow(path, workers, None)


def _read_flow(
    path: Path, workers: Workers | None, environment: Mapping[str, str] | None
) -> FlowSpec:
    document = _read(path)
    try:
        spec = decode_flow(document.data)
    except (FormatError, SpecError) as error:
        raise document.refused(error.problems) from None
    missing = () if workers is None else workers.missing(initial_state(spec, "flow"))
    problems = [*missing, *_bad_commands(spec, document.data, environment)]
    if problems:
        raise document.refused(problems)
    return spec


def _read(path: Path) -> Document:
    """Read a file that is neither a log nor a scenario file."""
    content, name = read_content(path), str(path)
    try:
        document = parse_document(content, name)
    except DocumentError:
        # The lines of a log are no document together.
        if _is_log(_first_line(content)):
            raise DocumentError(name, 1, "", _other("log", name)) from None
        raise
    if _is_log(document.data):
        raise document.error("log", _other("log", name))
    if _is_scenario_file(document.data):
        raise document.error("", _other("scenarios", name))
    return document


OTHERS: Final = {
    "log": "the log of a flow, no flow file; "
    "try conductor replay {file}, or conductor run --resume {file}",
    "scenarios": "a scenario file, no flow file; try conductor scenario run {file}",
}


def _other(kind: str, name: str) -> str:
    """Say what a file is instead of a flow file, and which command takes it."""
    return f"this is {OTHERS[kind].format(file=shlex.quote(name))}"


def _first_line(content: bytes) -> Any:
    """The first line as JSON; None when it is none."""
    try:
        return loads(content.partition(b"\n")[0])
    except FormatError:
        return None


def _is_log(data: Any) -> bool:
    """Whether data is the header of a log, of any version."""
    return isinstance(data, dict) and str(data.get("log")).startswith(_kind_of(LOG))


def _is_scenario_file(data: Any) -> bool:
    """Whether data is that of a scenario file, of any version."""
    if not isinstance(data, dict):
        return False
    return "scenarios" in data or str(data.get("format")).startswith(_kind_of(SCENARIOS))


def _kind_of(form: str) -> str:
    """A format without its version."""
    return form.partition("/")[0] + "/"


def import_workers(module_name: str | None, shell: Handler) -> Workers:
    """The shell, and what a module names in its mappings `handlers` and `generators`."""
    if module_name is None:
        return Workers(handlers={SHELL: shell})
    # What stands beside the flow counts, as with `python -m`.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a string is wanted
    try:
        module: Any = import_module(module_name)
    except Exception as error:
        told = f"--handlers {module_name}: {type(error).__name__}: {error}"
        if module_name.endswith(".py"):
            told += f"; expected the name of a module, such as {_dotted(module_name)}"
        raise ConductorError(told) from error
    handlers = _mapping(module, module_name, "handlers")
    generators = (
        _mapping(module, module_name, "generators") if hasattr(module, "generators") else {}
    )
    return Workers(handlers={SHELL: shell, **handlers}, generators=generators)


def _dotted(path: str) -> str:
    """The file of a module as the name by which it is imported."""
    return ".".join(Path(path).with_suffix("").parts)


def _mapping(module: Any, module_name: str, name: str) -> Mapping[str, Any]:
    """A mapping of names to functions; anything else is an error."""
    found: Any = getattr(module, name, None)
    if not isinstance(found, Mapping) or not all(
        isinstance(key, str) and callable(value) for key, value in found.items()
    ):
        raise ConductorError(
            f"--handlers {module_name}: {name!r} is no mapping of names to functions"
        )
    return found


def _bad_commands(
    spec: FlowSpec, data: Any, environment: Mapping[str, str] | None
) -> Iterator[Problem]:
    """Say what is wrong with the input of shell steps, where it stands in the file."""
    for index, group in enumerate(spec.groups):
        for number, step in enumerate(group.steps):
            if step.handler == SHELL:
                place = f"groups[{index}].steps[{number}]"
                # What `run` is short for stands nowhere in the file.
                short = "run" in data["groups"][index]["steps"][number]
                inside = place if short else f"{place}.input"
                for path, text in _bad_input(step.input.value, environment):
                    yield join(inside, path), text


def _bad_input(given: Any, environment: Mapping[str, str] | None) -> list[Problem]:
    """What is wrong with the input of a shell step, or else with what it takes from there."""
    problems = [*input_problems(given)]
    if problems or environment is None:
        return problems
    return [*missing_environment(given, environment)]
