"""What values are taken, in words, from JSON Schemas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from conductor_core.schema import SHELL, matching
from conductor_core.spec import FLOW_ID, KEY, MOST
from conductor_core.testing.scenario_schema import ATTEMPT
from docs.generating.markdown import as_json, code, listed

Named: TypeAlias = Callable[[str], str]
"""What stands for a part that is defined under a name."""

_PLAIN: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "integer",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "object": "mapping",
    "array": "list",
}
_TEXTS: Final[Mapping[str, str]] = {
    matching(KEY)["pattern"]: "key",
    matching(FLOW_ID)["pattern"]: "flow id",
    ATTEMPT["pattern"]: "attempt id",
    SHELL["run"]["pattern"]: "text that is not blank",
}
"""What texts of a pattern are called."""


def kind_of(schema: Any, named: Named) -> str:
    """The values that a schema takes."""
    if "$ref" in schema:
        return named(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return code(as_json(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(_word(word)) for word in schema["enum"])
    if "anyOf" in schema:
        return _alternatives(schema["anyOf"], named)
    kinds = schema.get("type", ())
    if isinstance(kinds, list):
        return " or ".join(kind_of({**schema, "type": kind}, named) for kind in kinds)
    return _of_type(kinds, schema, named) if kinds else "any value"


def _alternatives(schemas: Any, named: Named) -> str:
    """The values of several schemas; one is often a list of what another takes."""
    kinds: list[str] = []
    for schema in schemas:
        kind = kind_of(schema, named)
        again = schema.get("type") == "array" and schema["items"] in schemas
        kinds.append("a list of these" if again else kind)
    return " or ".join(kinds)


def _word(word: Any) -> str:
    return word if isinstance(word, str) else as_json(word)


def _of_type(kind: str, schema: Any, named: Named) -> str:
    """The values of one type."""
    if kind == "array" and "items" in schema:
        least = ", at least one" if schema.get("minItems") else ""
        return f"list of ({kind_of(schema['items'], named)}){least}"
    if kind == "object" and schema.get("properties"):
        return f"mapping of {listed(schema['properties'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping to ({kind_of(schema['additionalProperties'], named)})"
    if kind == "integer":
        return f"integer{_limits(schema)}"
    if kind == "string" and "pattern" in schema:
        return _TEXTS[schema["pattern"]]
    return _PLAIN[kind]


def _limits(schema: Any) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None:
        return ""
    return f" from {least}" if most in (None, MOST) else f" from {least} to {most}"


def default_of(schema: Any, *, required: bool) -> str:
    """What holds when nothing is given."""
    if required:
        return "required"
    return code(as_json(schema["default"])) if "default" in schema else ""
