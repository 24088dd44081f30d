"""The input of a shell step, and the environment that its command gets.

Rule: whatever is wrong is told with its place before a command begins, and what a step takes
from the environment of its worker by name appears in no input, log or file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from attrs import frozen

from conductor_adapters.masking import Secrets
from conductor_adapters.work import StepContext, StepFailure
from conductor_core.errors import FormatError, Problem, shown
from conductor_core.flowfile import FROM_ENV, SHELL_KEYS
from conductor_core.places import join, key_place, located, unknown

RESERVED: Final = "CONDUCTOR_"
FLOW_INPUT: Final = "CONDUCTOR_INPUT_"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@frozen(kw_only=True)
class ShellInput:
    """What is to be run, and with what; `secrets` are the values that nobody may see."""

    run: str
    cwd: str | None
    variables: Mapping[str, str]
    secrets: Secrets


def input_problems(value: object) -> Iterator[Problem]:
    """Say what is wrong with the input of a shell step."""
    if not isinstance(value, dict):
        yield "", "expected a mapping"
        return
    run = value.get("run")
    if not _is_text(run) or not run.strip():
        yield "run", f"expected a command, got {shown(run)}"
    cwd = value.get("cwd", ".")
    if not _is_text(cwd) or not cwd:
        yield "cwd", f"expected the name of a folder, got {shown(cwd)}"
    for path, text in _env_problems(value.get("env", {})):
        yield join("env", path), text
    for key in value:
        if key not in SHELL_KEYS:
            yield key_place(key), unknown("key", key, SHELL_KEYS)


def missing_environment(value: object, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Say which variables the input of a shell step takes from an environment without them."""
    for name, source in _sources(value):
        if source not in environ:
            place = join(join("env", key_place(name)), FROM_ENV)
            yield place, f"the environment has no variable {source}"


def read_input(context: StepContext, environ: Mapping[str, str]) -> ShellInput:
    """The input of an attempt; raises StepFailure for one that cannot be carried out."""
    value = context.input
    problems = [*input_problems(value)] or [*missing_environment(value, environ)]
    if problems:
        raise bad_input(FormatError.of(problems))
    taken = {name: environ[source] for name, source in _sources(value)}
    return ShellInput(
        run=value["run"],
        cwd=value.get("cwd"),
        # What an outer flow tells its own commands is nothing that this one says.
        variables={
            **{name: text for name, text in environ.items() if not name.startswith(FLOW_INPUT)},
            **dict(_flow_inputs(context.metadata)),
            **value.get("env", {}),
            **taken,
        },
        secrets=Secrets(taken.values()),
    )


def bad_input(error: FormatError) -> StepFailure:
    """The failure of a step whose input cannot be carried out."""
    told = located("input", error)
    return StepFailure(str(told), type="bad-input", non_retryable=True)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "\0" not in value


def _env_problems(env: object) -> Iterator[Problem]:
    if not isinstance(env, dict):
        yield "", f"expected a mapping, got {shown(env)}"
        return
    for name, value in env.items():
        problem = _name_problem(name)
        if problem is not None:
            yield key_place(name), problem
        for path, text in _value_problems(value):
            yield join(key_place(name), path), text


def _name_problem(name: object) -> str | None:
    if not _is_name(name):
        return "expected the name of a variable: letters, digits and _, no digit first"
    return f"names that begin with {RESERVED} are taken" if name.startswith(RESERVED) else None


def _value_problems(value: object) -> Iterator[Problem]:
    """Say what is wrong with the value of a variable."""
    if isinstance(value, dict):
        if value.keys() != {FROM_ENV} or not _is_name(value[FROM_ENV]):
            yield "", f"expected {{{FROM_ENV}: NAME}} with the name of a variable and nothing else"
    elif isinstance(value, (bool, int, float)):
        yield "", f"expected a text: write {json.dumps(value)} in quotes"
    elif not _is_text(value):
        yield "", f"expected a text or {{{FROM_ENV}: NAME}}, got {shown(value)}"


def _is_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _sources(value: Any) -> Iterator[tuple[str, str]]:
    """The variables that an input takes from an environment, as far as it is in order."""
    env = value.get("env") if isinstance(value, dict) else None
    for name, item in env.items() if isinstance(env, dict) else ():
        if isinstance(item, dict) and _is_name(item.get(FROM_ENV)):
            yield name, item[FROM_ENV]


def _flow_inputs(metadata: Any) -> Iterator[tuple[str, str]]:
    """The inputs of the flow that can be variables; all of them are in the context."""
    inputs = metadata.get("inputs")
    for name, value in inputs.items() if isinstance(inputs, dict) else ():
        if _is_name(name) and not isinstance(value, (dict, list)):
            text = value if isinstance(value, str) else json.dumps(value)
            if _is_text(text):
                yield FLOW_INPUT + name, text
