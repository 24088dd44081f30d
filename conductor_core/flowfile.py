"""The flow file: a FlowSpec as a person writes it.

Rule: the wire form of a spec, with three liberties: the flow's type stands under `flow`,
`run: COMMAND`, perhaps with `cwd` and `env`, is short for work `shell` with the input
`{run: COMMAND, cwd: ..., env: ...}`, and `approval: true` is an approval with its defaults.
Here is data only: reading YAML is a matter of adapters, and so is what a shell makes of its
input; only its shape is looked at, while the places in the file are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from conductor_core.errors import FormatError, Problem, SpecError
from conductor_core.places import expected, join, key_place
from conductor_core.records import Reader, decoded, new_converter, record_reader
from conductor_core.spec import ApprovalSpec, FlowSpec, GroupSpec, StepSpec

if TYPE_CHECKING:
    from cattrs import Converter

SHELL: Final = "shell"
"""The work that `run` stands for."""
SHELL_KEYS: Final = ("run", "cwd", "env")
"""The keys of a step that make up the input of its shell."""
SPELLED_OUT: Final = ("work", "input")
"""The keys of a step that `run` stands in place of."""
FROM_ENV: Final = "from_env"
"""The key under which a variable of the worker's own environment is named."""


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
    read = record_reader(converter, StepSpec, also=SHELL_KEYS)
    return lambda data, _=None: read(_spelled_out(data))


def _spelled_out(data: Any) -> Any:
    """The same step with its shell command written as work and input."""
    if not isinstance(data, dict) or not any(key in data for key in SHELL_KEYS):
        return data
    problems = list(_shell_problems(data))
    if problems:
        raise FormatError.of(problems)
    rest = {key: value for key, value in data.items() if key not in SHELL_KEYS}
    told = {key: data[key] for key in SHELL_KEYS if key in data}
    return {**rest, "work": SHELL, "input": told}


def _shell_problems(step: dict[Any, Any]) -> Iterator[Problem]:
    """Say what is wrong with the shape of a step's shell command."""
    if "run" not in step:
        for key in ("cwd", "env"):
            if key in step:
                yield key, f"{key!r} does not go without 'run'"
        return
    for key in SPELLED_OUT:
        if key in step:
            yield key, f"{key!r} does not go together with 'run'"
    command = step["run"]
    if not isinstance(command, str) or not command.strip():
        yield "run", expected("a command line", command).problem
    if "cwd" in step and not isinstance(step["cwd"], str):
        yield "cwd", expected("the name of a folder", step["cwd"]).problem
    if "env" in step:
        yield from _env_problems(step["env"])


def _env_problems(env: Any) -> Iterator[Problem]:
    """Say what is wrong with the shape of the variables that a command is given."""
    if not isinstance(env, dict):
        yield "env", expected("a mapping of names to texts", env).problem
        return
    for name, value in env.items():
        if not isinstance(value, str) and not _is_reference(value):
            told = f"a text (a number in quotes) or {{{FROM_ENV}: NAME}}"
            yield join("env", key_place(name)), expected(told, value).problem


def _is_reference(value: Any) -> bool:
    """Whether a value names a variable of the worker's own environment."""
    return isinstance(value, dict) and [*value] == [FROM_ENV] and isinstance(value[FROM_ENV], str)


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
