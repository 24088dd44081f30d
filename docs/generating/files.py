"""The references of the formats of files, from their JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conductor_core.checking.checks_schema import checks_schema
from conductor_core.schema import flow_schema
from conductor_core.testing.scenario_schema import scenario_schema
from conductor_core.testing.scenario_words import FIELD
from docs.generating.kinds import default_of, kind_of
from docs.generating.markdown import block, citing, code, page, table

LINKS: Final[Mapping[str, str]] = {
    name: f"[{name}](flow-files.md#{name})"
    for name in ("flow", "options", "group", "step", "retry", "approval")
}
RECORDS: Final[Mapping[str, str]] = {
    "error": "[error](events.md#error)",
    "policy": "[policy report](events.md#policy-report)",
}
_DELIVERED: Final = {
    f"delivered-{name}": f"[{name}](flow-files.md#{name}) of which only the shape is read"
    for name in ("group", "step", "retry", "approval")
}

FLOW: Final = """\
flow: deploy
options: {on_failure: await-retry}
groups:
  - key: network
    steps:
      - {key: plan, run: ./plan, approval: {required: 2, approvers: [ana, bo, cy]}}
      - {key: apply, run: ./apply, needs: [plan], timeout_ms: 600000}
  - key: services
    parallel: true
    steps:
      - {key: api, run: ./deploy api, retry: {max_auto_retries: 2}}
      - {key: web, run: ./deploy web, env: {TOKEN: {from_env: DEPLOY_TOKEN}}}"""
SCENARIOS: Final = """\
format: conductor-scenario/1
scenarios:
  - name: who has approved may still be outvoted by a deny
    flow:
      groups:
        - key: network
          steps: [{key: plan, approval: {required: 2}}, {key: apply}]
    work:
      plan: [{output: {add: 3}}]
    do:
      - approve: {step: plan, by: ana}
      - deny: {step: plan, by: bo}
    expect:
      flow: error
      reason: denied
      steps: {"plan#1": approval-denied, "apply#1": discarded}"""
CHECKS: Final = """\
format: conductor-checks/1
alphabet:
  endings: [ok, fail]
  answers: [approve, deny]
claims:
  - name: what nobody approved or skipped is not applied
    always:
      any:
        - {step: apply, status: [pending, discarded, not-attempted, cancelled]}
        - {step: plan, approved: true}
        - {step: plan, status: user-skipped}
  - sometimes: {flow: success}"""
EXAMPLES: Final[Mapping[str, str]] = {
    "flow-files.md": FLOW,
    "scenario-files.md": SCENARIOS,
    "checks-files.md": CHECKS,
}


def flow_files() -> str:
    """The page of flow files."""
    more = "How they are read, and examples: [formats](../formats.md)."
    return _file("Flow files", "flow-files.md", flow_schema(), "flow", {**LINKS, **RECORDS}, more)


def scenario_files() -> str:
    """The page of scenario files."""
    schema = scenario_schema()
    parts = {name: it for name, it in schema["$defs"].items() if name not in _elsewhere()}
    elsewhere = {**LINKS, **RECORDS, **_DELIVERED}
    whole = {**schema, "$defs": parts}
    more = "Examples: [test your flow](../how-to/test-your-flow.md)."
    return _file(
        "Scenario files", "scenario-files.md", whole, "file", elsewhere, more, fields=FIELD
    )


def checks_files() -> str:
    """The page of checks files."""
    schema = checks_schema()
    parts = {name: it for name, it in schema["$defs"].items() if name not in _elsewhere()}
    parts["alphabet"] = schema["properties"]["alphabet"]
    parts["claim"] = schema["properties"]["claims"]["items"]
    properties = {
        **schema["properties"],
        "alphabet": _referring("alphabet", schema["properties"]["alphabet"]),
        "claims": {
            **schema["properties"]["claims"],
            "items": _referring("claim", {}),
        },
    }
    whole = {**schema, "properties": properties, "$defs": parts}
    about = "What the words of an alphabet mean, and what is claimed, is told in "
    return _file(
        "Checks files",
        "checks-files.md",
        whole,
        "file",
        {**LINKS, **RECORDS},
        f"{about}[checking](../checking.md); examples: "
        "[check your flow](../how-to/check-your-flow.md).",
    )


def _elsewhere() -> frozenset[str]:
    """The parts that another page tells."""
    return frozenset((*LINKS, *RECORDS, *_DELIVERED))


def _referring(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for a part that is told by itself."""
    kept = {key: it for key, it in schema.items() if key == "description"}
    return {**kept, "$ref": f"#/$defs/{name}"}


def _file(
    title: str,
    name: str,
    schema: Mapping[str, Any],
    whole: str,
    elsewhere: Mapping[str, str],
    *more: str,
    fields: Mapping[str, str] | None = None,
) -> str:
    """A page: the file itself, then every part of it."""
    told = schema["description"].replace(" S1 to S14 cite docs/semantics.md.", "")
    linked = {part: f"[{part}](#{part})" for part in schema["$defs"]}
    named = {**elsewhere, **linked}
    parts = [
        f"{told} An editor is told the same by `conductor schema {name.partition('-')[0]}`.",
        *more,
        block("yaml", EXAMPLES[name]),
        f"## {whole}",
        _keys(schema, named),
    ]
    for part, its in schema["$defs"].items():
        parts += [f"## {part}", *_part(its, named)]
    if fields is not None:
        rows = ((code(field), citing(words)) for field, words in fields.items())
        parts += ["## fields of mappings", table(("field", "meaning"), rows)]
    return page(title, *parts)


def _part(schema: Mapping[str, Any], named: Mapping[str, str]) -> list[str]:
    """A part of a file: its keys, or which forms it takes."""
    about = [_told(schema["description"])] if "description" in schema else []
    if "properties" in schema:
        return [*about, *_demands(schema), _keys(schema, named)]
    forms = [each for each in schema.get("anyOf", ()) if each.get("properties")]
    parts = [*about, f"One of: {kind_of(schema, named.__getitem__)}."]
    return [*parts, *(_keys(form, named) for form in forms)]


def _told(words: str) -> str:
    """Words as a sentence."""
    return citing(words[0].upper() + words[1:].removesuffix(".") + ".")


def _demands(schema: Mapping[str, Any]) -> list[str]:
    """What is demanded of keys together."""
    if "oneOf" in schema:
        return ["Exactly one of these keys stands in it, besides those that may always be given."]
    return ["At least one key, and all must hold."] if schema.get("minProperties") else []


def _keys(schema: Mapping[str, Any], named: Mapping[str, str]) -> str:
    """The keys of a mapping, with what they take, what holds without them, what they mean."""
    required = schema.get("required", ())
    words = any("description" in it for it in schema["properties"].values())
    defaults = [
        default_of(it, required=key in required) for key, it in schema["properties"].items()
    ]
    rows = [
        (
            code(key),
            kind_of(it, named.__getitem__),
            *((default,) if any(defaults) else ()),
            *((citing(it.get("description", "")),) if words else ()),
        )
        for (key, it), default in zip(schema["properties"].items(), defaults, strict=True)
    ]
    titles = ("key", "value", *(("default",) if any(defaults) else ()))
    return table((*titles, *(("meaning",) if words else ())), rows)
