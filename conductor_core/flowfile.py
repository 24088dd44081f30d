"""The flow file: a FlowSpec as a person writes it.

Rule: the wire form of a spec, with three liberties: the flow's type stands under `flow`,
`run: COMMAND` is short for work `shell` with the input `{run: COMMAND}`, and `approval: true`
is an approval with its defaults. Here is data only: reading YAML is a matter of adapters.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from cattrs import Converter

from conductor_core.errors import FormatError, SpecError
from conductor_core.places import expected
from conductor_core.records import Reader, decoded, new_converter, record_reader
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, StepSpec

SHELL: Final = "shell"
"""The work that `run` stands for."""


def decode_flow(data: Any, path: str = "") -> FlowSpec:
    """The spec of a flow file; raises FormatError, or SpecError when it can never run."""
    return cast(FlowSpec, decoded(_reader(FlowSpec), data, path))


def decode_flow_groups(data: Any, path: str = "groups") -> tuple[GroupSpec, ...]:
    """Groups as a flow file writes them; whether they make sense is for the reducer to say."""
    return cast(tuple[GroupSpec, ...], decoded(_reader(tuple[GroupSpec, ...]), data, path))


def _reader(kind: Any) -> Reader:
    return _converter().get_structure_hook(kind)


@cache
def _converter() -> Converter:
    """A converter in which the liberties are taken, from the inside out."""
    converter = new_converter()
    converter.register_structure_hook(ApprovalSpec, _approval_reader(converter))
    converter.register_structure_hook(StepSpec, _step_reader(converter))
    converter.register_structure_hook(FlowSpec, _flow_reader(converter))
    return converter


def _approval_reader(converter: Converter) -> Reader:
    read = record_reader(converter, ApprovalSpec)

    def read_approval(data: Any, _: Any = None) -> Any:
        if data is True:
            return ApprovalSpec()
        if not isinstance(data, dict):
            raise expected("true or a mapping", data)
        return read(data)

    return read_approval


def _step_reader(converter: Converter) -> Reader:
    read = record_reader(converter, StepSpec, also=("run",))
    return lambda data, _=None: read(_without_run(data))


def _without_run(data: Any) -> Any:
    """The same step with its `run` spelled out."""
    if not isinstance(data, dict) or "run" not in data:
        return data
    for key in ("work", "input"):
        if key in data:
            raise FormatError(key, f"{key!r} does not go together with 'run'")
    command = data["run"]
    if not isinstance(command, str) or not command.strip():
        raise FormatError("run", expected("a command line", command).problem)
    rest = {key: value for key, value in data.items() if key != "run"}
    return {**rest, "work": SHELL, "input": {"run": command}}


def _flow_reader(converter: Converter) -> Reader:
    read = record_reader(converter, FlowSpec, renamed={"type": "flow"})

    def read_flow(data: Any, _: Any = None) -> Any:
        try:
            return read(data)
        except SpecError as error:
            problems = error.problems
        raise SpecError(
            tuple(("flow" if place == "type" else place, text) for place, text in problems)
        )

    return read_flow
