"""The JSON Schema (draft 2020-12) of flow files, made from the declarations of a flow.

Rule: the type of a field says which values it takes, LIMITS what the validator demands of
them besides, `schema_words` what they mean. A schema is never stricter than the reader that
it describes; what it cannot say is listed in its description. Nothing here reads a file.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs

from conductor_core.flowfile import FROM_ENV, SHELL_KEYS, SPELLED_OUT
from conductor_core.payload import Payload
from conductor_core.schema_words import SHELL_WORDS, WORDS
from conductor_core.spec import (
    KEY,
    MOST,
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)

__all__ = ["Schema", "flow_schema"]

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
TRUTH: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
MAPPING: Final[Schema] = {"type": "object"}
NULL: Final[Schema] = {"type": "null"}
ANYTHING: Final[Schema] = {}

PLAIN: Final[Mapping[Any, Schema]] = {
    str: TEXT,
    int: {"type": "integer"},
    bool: TRUTH,
    type(None): NULL,
    Payload: ANYTHING,
}
"""The kinds of values that are neither records nor made of other kinds."""

UNTOLD: Final = (
    "that keys are unique; that a step needs only steps that run earlier; that an approval "
    "requires no more people than it names; that there is a handler of that name, and what it "
    "takes as its input; that `1.0` is no integer; how large and how deep a file may be"
)
"""What the readers demand and no schema of flows says."""


# --- parts of schemas ---


def choice(*choices: object) -> Schema:
    """One of a few values."""
    return {"enum": list(choices)}


def matching(pattern: re.Pattern[str]) -> Schema:
    """A text of which all matches a pattern."""
    return {"type": "string", "pattern": f"^{pattern.pattern}$"}


def list_of(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


def values_of(value: Schema) -> Schema:
    """A mapping with any keys."""
    return {"type": "object", "additionalProperties": value}


def closed(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping with no key but these."""
    demanded = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": dict(properties),
        **demanded,
        "additionalProperties": False,
    }


def either(*schemas: Schema) -> Schema:
    """What one of the schemas takes; plain types are put together into one list."""
    kinds = [schema.get("type") for schema in schemas]
    if not all(isinstance(kind, str) for kind in kinds):
        return {"anyOf": list(schemas)}
    together = {key: value for schema in schemas for key, value in schema.items()}
    return {**together, "type": kinds}


def reference(name: str) -> Schema:
    """What is defined under a name."""
    return {"$ref": f"#/$defs/{name}"}


def told(words: str, schema: Schema, **default: object) -> Schema:
    """A schema with the words, and perhaps the default, that an editor shows."""
    return {"description": words, **schema, **default}


# --- schemas of records ---


def summary(record: type[Any]) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((record.__doc__ or "").partition("\n\n")[0].split())


def record_schema(
    record: type[Any],
    words: Mapping[str, str],
    *,
    limits: Mapping[str, Schema],
    names: Mapping[Any, str],
) -> Schema:
    """A mapping with the fields of a record; other records in it are referred to by name."""
    properties: dict[str, Schema] = {}
    required: list[str] = []
    kinds = get_type_hints(record)
    for field in attrs.fields(record):
        schema = _limited(kind_schema(kinds[field.name], names), limits.get(field.name, {}))
        # A default that is refused is none: a group without steps.
        if field.default is attrs.NOTHING or (field.default == () and "minItems" in schema):
            required.append(field.name)
            properties[field.name] = told(words[field.name], schema)
        else:
            default = default_of(field.default)
            properties[field.name] = told(words[field.name], schema, default=default)
    return {"description": summary(record), **closed(properties, required)}


def kind_schema(kind: Any, names: Mapping[Any, str]) -> Schema:
    """The values that a field of this kind takes."""
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if attrs.has(kind):
        return reference(names[kind])
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return list_of(kind_schema(parts[0], names))
    if origin is Literal:
        return choice(*parts)
    assert origin in (Union, types.UnionType), f"{kind!r} is of no known kind"
    return either(*(kind_schema(part, names) for part in parts))


def _limited(schema: Schema, limits: Schema) -> Schema:
    """The same values but for those beyond the limits."""
    items = {**schema.get("items", {}), **limits.get("items", {})}
    return {**schema, **limits, **({"items": items} if items else {})}


def default_of(value: Any) -> Any:
    """A default as a file would write it; a record with nothing but defaults is empty."""
    if isinstance(value, Payload):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return {} if attrs.has(type(value)) else value


# --- flows ---


def _at_least(least: int) -> Schema:
    return {"minimum": least, "maximum": MOST}


LIMITS: Final[Mapping[type[Any], Mapping[str, Schema]]] = {
    FlowSpec: {"type": NAME, "metadata": MAPPING},
    FlowOptions: {
        "approval": choice("prompt", "approve-all"),
        "on_failure": choice("stop", "await-retry"),
        "continue_as_new_every": _at_least(1),
        "max_parallel": _at_least(1),
        "cancel_grace_ms": _at_least(0),
    },
    GroupSpec: {
        "key": matching(KEY),
        "steps": {"minItems": 1},
        "max_parallel": _at_least(1),
        "name": {"minLength": 1},
        "metadata": MAPPING,
    },
    StepSpec: {
        "key": matching(KEY),
        "work": {"minLength": 1},
        "needs": {"uniqueItems": True},
        "timeout_ms": _at_least(0),
        "on_recovery": choice("redispatch", "fail"),
        "name": {"minLength": 1},
        "metadata": MAPPING,
    },
    RetryPolicy: {
        "max_retries": _at_least(0),
        "max_auto_retries": _at_least(0),
        "scope": choice("step", "group"),
        "backoff_ms": {"items": _at_least(0)},
    },
    ApprovalSpec: {
        "required": _at_least(1),
        "approvers": {"items": NAME, "uniqueItems": True},
        "timeout_ms": _at_least(0),
        "stale_after_ms": _at_least(0),
        "skip_scope": choice("group", "step"),
    },
}
"""What the validator of a spec (S2.1) demands of single fields; tests hold both together."""

SHELL: Final[Mapping[str, Schema]] = {
    "run": {"type": "string", "pattern": r"\S"},
    "cwd": TEXT,
    "env": values_of({"anyOf": [TEXT, closed({FROM_ENV: TEXT}, [FROM_ENV])]}),
}
"""The shape of a shell command in a flow file."""


def flow_schema() -> Schema:
    """The schema of a flow file."""
    definitions = flow_definitions()
    flow = definitions.pop("flow")
    return {
        "$schema": DIALECT,
        "title": "conductor flow file",
        **flow,
        "description": described("A flow file says what is to happen.", UNTOLD),
        "$defs": definitions,
    }


def described(what: str, untold: str) -> str:
    """The description of a whole schema, with what it leaves to the reader."""
    return (
        f"{what} S1 to S14 cite docs/semantics.md. Not said here, and told when the file is "
        f"read: {untold}."
    )


FLOW_NAMES: Final[Mapping[Any, str]] = {FlowSpec: "flow", FlowOptions: "options"}
GROUP_NAMES: Final[Mapping[Any, str]] = {
    GroupSpec: "group",
    StepSpec: "step",
    RetryPolicy: "retry",
    ApprovalSpec: "approval",
}


def flow_definitions() -> Schema:
    """The schemas of a flow and of all its parts, by name."""
    names = {**FLOW_NAMES, **GROUP_NAMES}
    return {name: _part(record, names, LIMITS[record]) for record, name in names.items()}


def unjudged_groups(prefix: str) -> Schema:
    """The schemas of groups of which only the shape is read, by names with a prefix."""
    names = {record: f"{prefix}{name}" for record, name in GROUP_NAMES.items()}
    return {name: _part(record, names, {}) for record, name in names.items()}


def _part(record: type[Any], names: Mapping[Any, str], limits: Mapping[str, Schema]) -> Schema:
    """The schema of a part of a flow, with the liberties that a flow file takes."""
    schema = record_schema(record, WORDS[record], limits=limits, names=names)
    liberties: Mapping[Any, Callable[[Schema], Schema]] = {FlowSpec: _typed, StepSpec: _with_shell}
    return liberties[record](schema) if record in liberties else schema


def _typed(flow: Schema) -> Schema:
    """The same with the flow's type under `flow`."""
    properties = {
        "flow" if key == "type" else key: value for key, value in flow["properties"].items()
    }
    return {**flow, "properties": properties}


def _with_shell(step: Schema) -> Schema:
    """The same with the keys of a shell command, and `approval: true`."""
    shell = {key: told(SHELL_WORDS[key], SHELL[key]) for key in SHELL_KEYS}
    properties = dict(_after("key", shell, step["properties"]))
    approval = properties["approval"]
    properties["approval"] = {**approval, "anyOf": [{"const": True}, *approval["anyOf"]]}
    return {
        **step,
        "properties": properties,
        "if": {"required": ["run"]},
        "then": {"properties": dict.fromkeys(SPELLED_OUT, False)},
        "else": {"properties": {key: False for key in SHELL_KEYS if key != "run"}},
    }


def _after(
    place: str, more: Mapping[str, Schema], properties: Mapping[str, Schema]
) -> Iterator[tuple[str, Schema]]:
    """Properties with more of them after one."""
    for key, schema in properties.items():
        yield key, schema
        if key == place:
            yield from more.items()
