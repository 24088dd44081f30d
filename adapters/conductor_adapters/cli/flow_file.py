"""A flow file on disk, read together with the handlers that its steps name.

Rule: what would keep the flow from running is told before anything starts, every problem
with its place.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from conductor_adapters.cli.documents import Document, read_document
from conductor_adapters.shell import input_problems
from conductor_adapters.workers import Handler, Workers
from conductor_core.codec import decode_flow
from conductor_core.errors import ConductorError, FormatError, Problem, SpecError
from conductor_core.flowfile import SHELL
from conductor_core.spec import FlowSpec


def read_flow(path: Path, workers: Workers) -> FlowSpec:
    """Read a flow that these workers can run; raise ConductorError with every problem."""
    document = read_document(path)
    try:
        spec = decode_flow(document.data)
    except (FormatError, SpecError) as error:
        raise _told(document, error.problems) from None
    problems = [*workers.missing(spec), *_bad_commands(spec)]
    if problems:
        raise _told(document, problems)
    return spec


def import_workers(module_name: str | None, shell: Handler) -> Workers:
    """The shell, and what a module names in its mappings `handlers` and `generators`."""
    if module_name is None:
        return Workers(handlers={SHELL: shell})
    # What stands beside the flow counts, as with `python -m`.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a string is wanted
    try:
        module: Any = import_module(module_name)
    except Exception as error:
        raise ConductorError(
            f"--handlers {module_name}: {type(error).__name__}: {error}"
        ) from error
    handlers = _mapping(module, module_name, "handlers")
    generators = (
        _mapping(module, module_name, "generators") if hasattr(module, "generators") else {}
    )
    return Workers(handlers={SHELL: shell, **handlers}, generators=generators)


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


def _bad_commands(spec: FlowSpec) -> Iterator[Problem]:
    for index, group in enumerate(spec.groups):
        for number, step in enumerate(group.steps):
            if step.handler == SHELL:
                for path, text in input_problems(step.input.value):
                    yield f"groups[{index}].steps[{number}].input.{path}", text


def _told(document: Document, problems: Iterable[Problem]) -> ConductorError:
    """One error for all problems, a line each."""
    return ConductorError("\n".join(str(document.error(path, text)) for path, text in problems))
