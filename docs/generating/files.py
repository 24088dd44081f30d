"""The files that people write, key by key: what their schemas say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

from docs.generating.markdown import code, page, table

_NEEDED: Final = "(needed)"


def flow_page() -> str:
    """The keys of flow files."""
    return _page("Flow files", "flow", "How they are read, and examples: [formats](../formats.md).")


def scenario_page() -> str:
    """The keys of scenario files."""
    return _page(
        "Scenario files", "scenario", "Examples: [test your flow](../how-to/test-your-flow.md)."
    )


def checks_page() -> str:
    """The keys of checks files."""
    return _page(
        "Checks files", "checks", "Examples: [check your flow](../how-to/check-your-flow.md)."
    )


def _page(title: str, name: str, further: str) -> str:
    schema = json.loads(
        files("conductor_core.schemas").joinpath(f"{name}.schema.json").read_text("utf-8")
    )
    return page(
        title,
        f"{schema['description']}\n\n{further} The schema for editors: `conductor schema {name}`.",
        "## The file",
        _keys(schema),
        *_definitions(schema),
    )


def _definitions(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, definition in schema.get("$defs", {}).items():
        yield f"## {name}"
        yield definition.get("description", "")
        if "properties" in definition:
            yield _keys(definition)
        else:
            yield f"A value: {_kind(definition)}."


def _keys(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    return table(
        ["key", "value", "default", "meaning"],
        [
            [code(key), _kind(said), _default(key, said, needed), said.get("description", "")]
            for key, said in schema["properties"].items()
        ],
    )


def _default(key: str, said: Mapping[str, Any], needed: Any) -> str:
    if "default" in said:
        return code(json.dumps(said["default"], ensure_ascii=False))
    return _NEEDED if key in needed else ""


def _kind(said: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in said:
        name = said["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "const" in said:
        return code(said["const"])
    if "enum" in said:
        return " or ".join(code(json.dumps(value).strip('"')) for value in said["enum"])
    for several in ("oneOf", "anyOf"):
        if several in said:
            return ", or ".join(_kind(one) for one in said[several])
    return _typed(said)


def _typed(said: Mapping[str, Any]) -> str:
    kinds = said.get("type", "any value")
    told = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if "items" in said:
        return f"list of {_kind(said['items'])}"
    if "pattern" in said:
        return f"{told} like {code(said['pattern'])}"
    least = said.get("minimum")
    return told if least is None else f"{told}, at least {least}"
