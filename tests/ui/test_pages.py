"""What every answer forbids a browser, and what stands in pages."""

from __future__ import annotations

import json

import pytest

from tests.debugger.test_html import Parts, hashed
from tests.ui.calling import Caller
from tests.ui.stage import HOSTILE, WILD, Stage

PAGES = ("/", "/flows/wild", "/flows/nope", "/sign-in")
OTHERS = ("/api/session", "/api/flows", "/api/flows/wild", "/api/flows/nope/events", "/nothing")


@pytest.fixture(autouse=True)
def _wild(stage: Stage) -> None:
    """A flow in which everything is hostile."""
    stage.start(WILD, "wild", "approval-awaiting")


@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
def test_every_answer_forbids_what_it_can(caller: Caller, path: str) -> None:
    """It is kept nowhere, framed nowhere, taken for nothing else, and tells nobody where it was."""
    headers = caller.get(path).headers
    assert {name: headers[name] for name in sorted(headers) if name in EXPECTED} == EXPECTED
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


EXPECTED = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_what_it_was_written_with_alone(caller: Caller, path: str) -> None:
    """The policy is exact, in the header and in the page, where nothing else is inline."""
    answer = caller.get(path)
    parts = Parts(answer.body.decode())
    _data, *scripts = parts.texts["script"]
    (style,) = parts.texts["style"]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(hashed, scripts))}; "
        f"style-src {hashed(style)}; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == f"{policy}; frame-ancestors 'none'"
    written = {name: " ".join(rest) for name, *rest in (it.split() for it in policy.split("; "))}
    assert {name: " ".join(rest) for name, rest in parts.policy().items()} == written
    inline = [name for _, found in parts.elements for name in found if name.startswith("on")]
    assert (
        inline == [name for _, found in parts.elements for name in found if name == "style"] == []
    )


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_no_page_may_do_nothing(caller: Caller, path: str) -> None:
    """Should a browser ever take it for one."""
    assert caller.get(path).headers["content-security-policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("path", PAGES)
def test_nothing_of_a_flow_stands_in_a_page(caller: Caller, path: str) -> None:
    """It asks for that with what no cookie carries."""
    answer = caller.get(path)
    assert answer.status == 200
    text = answer.body.decode()
    assert not any(each in text for each in HOSTILE)
    data, *_ = Parts(text).texts["script"]
    assert json.loads(data) == ({"store": "flows.db"} if path == "/" else {})
    assert caller.get("/flows/wild").body == caller.get("/flows/nope").body


def test_a_flow_is_told_as_data(caller: Caller) -> None:
    """With all its entries, and no state."""
    view = caller.get("/api/flows/wild").json
    assert view["groups"][0]["name"] == HOSTILE[1]
    assert [entry["seq"] for entry in view["entries"]] == [1, 2, 3]
    assert "state" not in view
    answer = caller.get("/api/flows/%3Cscript%3E")
    assert (answer.status, answer.code) == (404, "unknown-flow")
    assert answer.json["error"]["message"] == "no flow is named '<script>'"
