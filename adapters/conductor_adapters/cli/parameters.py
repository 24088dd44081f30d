"""The parameters of a flow: what `--set` fills into `metadata.inputs`.

Rule: a value that the flow file gives is the default, and says of which type the input is;
where it gives none, or a text, or null, what is set is a text. Nothing is evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import evolve

from conductor_adapters.cli.documents import SURROGATE
from conductor_core.codec import loads
from conductor_core.errors import ConductorError, FormatError, shown
from conductor_core.payload import freeze
from conductor_core.spec import FlowSpec


def with_inputs(spec: FlowSpec, settings: Iterable[str]) -> FlowSpec:
    """The flow with these `KEY=VALUE` among its inputs; raises ConductorError."""
    given = _given(settings)
    if not given:
        return spec
    metadata: Any = spec.metadata.value
    declared = metadata.get("inputs", {})
    if not isinstance(declared, dict):
        raise ConductorError(
            f"--set: the flow's metadata.inputs is no mapping but {shown(declared)}"
        )
    for key in sorted(given.keys() - declared.keys()) if declared else ():
        known = ", ".join(declared)
        raise ConductorError(f"--set: the flow has no input {shown(key)} (it has {known})")
    inputs = {**declared, **{key: _typed(key, text, declared) for key, text in given.items()}}
    return evolve(spec, metadata=freeze({**metadata, "inputs": inputs}))


def _given(settings: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals or SURROGATE.search(setting):
            raise ConductorError(f"--set: expected KEY=VALUE, got {shown(setting)}")
        if key in given:
            raise ConductorError(f"--set: {shown(key)} is set twice")
        given[key] = text
    return given


def _typed(key: str, text: str, declared: dict[str, Any]) -> Any:
    """The value that a text stands for, by the type of the input's default."""
    default = declared.get(key)
    if default is None or isinstance(default, str):
        return text
    try:
        value = loads(text)
    except FormatError:
        value = text
    kinds = (float, int) if isinstance(default, float) else (type(default),)
    if type(value) not in kinds:
        raise ConductorError(
            f"--set {key}: expected a value like the flow's {_told(default)}, got {shown(text)}"
        )
    return value


def _told(default: Any) -> str:
    """A default as a file has it."""
    return json.dumps(default, ensure_ascii=False)
