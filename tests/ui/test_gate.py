"""Who gets in: every rule of the gate, over HTTP and with a flow that would show a mistake."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

from conductor_adapters.ui.gate import MOST_SESSIONS
from conductor_adapters.ui.messages import MOST_BODY
from tests.ui.calling import Caller
from tests.ui.stage import DEPLOY, TOKEN, Stage

REQUESTS = "/api/flows/deploy-1/requests"
APPROVE: dict[str, Any] = {
    "event": {"type": "approval-responded", "step": "plan", "response": "approve"},
    "by": "ana",
}
EVENTS = "/api/flows/deploy-1/events?after=0"
READS = ("/api/flows", "/api/waits?flow=deploy-1", "/api/flows/deploy-1", EVENTS)
PAGES = ("/", "/flows/deploy-1")


@pytest.fixture(autouse=True)
def _unchanged(stage: Stage) -> Generator[None]:
    """Whatever a test sends, the flow waits as before."""
    stage.start(DEPLOY, "deploy-1", "approval-awaiting")
    yield
    state = stage.state("deploy-1")
    assert state.status == "approval-awaiting"
    assert [attempt.id for attempt in state.open_approvals()] == ["plan#1"]


def test_who_has_not_shown_the_token_sees_nothing_and_asks_nothing(caller: Caller) -> None:
    """Pages lead to the door, everything else is closed."""
    caller.headers.clear()
    for path in READS:
        assert (caller.get(path).status, caller.get(path).code) == (401, "no-session")
    for path in PAGES:
        answer = caller.get(path)
        assert (answer.status, answer.body) == (303, b"")
        assert answer.headers["location"].startswith("/sign-in?to=%2F")
    answer = caller.post(REQUESTS, APPROVE)
    assert (answer.status, answer.code) == (401, "no-session")
    assert caller.get("/api/session").json == {"signed_in": False, "read_only": False, "by": ""}


@pytest.mark.parametrize("token", ["", TOKEN[:-1], f"{TOKEN} ", TOKEN.upper(), None, 7, [TOKEN]])
def test_another_token_opens_nothing(caller: Caller, token: object) -> None:
    """Whatever it looks like."""
    caller.headers.clear()
    answer = caller.post("/api/session", {"token": token})
    assert (answer.status, answer.code) == (401, "wrong-token")
    assert "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends(
    caller: Caller,
) -> None:
    """For this port alone, until the browser is closed."""
    first, second = (caller.sign_in(TOKEN).headers["set-cookie"] for _ in range(2))
    port = caller.address[1]
    form = rf"conductor-{port}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict"
    assert re.fullmatch(form, first)
    assert first != second


def test_who_signed_out_has_no_session_any_more(caller: Caller) -> None:
    """Neither by the cookie and the token that were kept, nor in what follows a log already."""
    other = Caller(caller.url)
    other.sign_in(TOKEN)
    events = caller.events(EVENTS)
    assert next(events)[0] == "entries"
    answer = caller.post("/api/sign-out", {})
    assert answer.json == {"signed_in": False}
    kept = f"conductor-{caller.address[1]}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
    assert answer.headers["set-cookie"] == kept
    for path in READS:
        assert (caller.get(path).status, caller.get(path).code) == (401, "no-session")
    assert [caller.get(path).status for path in PAGES] == [303, 303]
    assert caller.post(REQUESTS, APPROVE).code == "no-session"
    assert caller.post("/api/sign-out", {}).code == "no-session"
    for what in ("pause-requested", "resume-requested"):
        asked = {"event": {"type": what}, "by": "ana"}
        assert other.post(REQUESTS, asked).json["verdict"] == "accepted"
    # What was said before is read to the end, which comes.
    assert "entries" not in [kind for kind, _ in events]


def test_nobody_else_signs_anybody_out(caller: Caller) -> None:
    """It takes what every request takes: the second token, our origin, a POST of JSON."""
    assert caller.post("/api/sign-out", {}, X_Conductor_CSRF="guessed").code == "no-csrf"
    assert caller.post("/api/sign-out", {}, Origin="http://evil.example").code == "cross-origin"
    assert caller.post("/api/sign-out", {}, Content_Type="text/plain").code == "no-json"
    assert caller.get("/api/sign-out").status == 405
    assert caller.get("/api/flows").status == 200


def test_a_cookie_that_was_made_up_is_no_session(caller: Caller) -> None:
    """Nor one of another port, nor an empty one."""
    port, (name, _, value) = caller.address[1], caller.headers["Cookie"].partition("=")
    for cookie in (f"{name}=", f"{name}={value[:-1]}", f"conductor-{port + 1}={value}", name):
        assert caller.get("/api/flows", Cookie=cookie).status == 401
    assert caller.get("/api/flows", Cookie=f"other=1; {name}={value}").status == 200


def test_the_oldest_session_ends_where_there_would_be_too_many(caller: Caller) -> None:
    """Others go on."""
    second = Caller(caller.url)
    second.sign_in(TOKEN)
    for _ in range(MOST_SESSIONS - 1):
        Caller(caller.url).sign_in(TOKEN)
    assert caller.get("/api/flows").status == 401
    assert second.get("/api/flows").status == 200


@pytest.mark.parametrize("csrf", [None, "", "guessed"])
def test_a_request_without_the_second_token_is_refused(caller: Caller, csrf: str | None) -> None:
    """A cookie alone, which a browser sends along by itself, asks nothing and is told nothing.

    It reaches whoever listens at another port, and he could send it here.
    """
    answer = caller.post(REQUESTS, APPROVE, X_Conductor_CSRF=csrf)
    assert (answer.status, answer.code) == (403, "no-csrf")
    for path in READS:
        answer = caller.get(path, X_Conductor_CSRF=csrf)
        assert (answer.status, answer.code) == (403, "no-csrf")
    for path in PAGES:
        assert caller.get(path, X_Conductor_CSRF=csrf).status == 200


def test_only_what_follows_a_log_may_show_the_second_token_in_the_query(caller: Caller) -> None:
    """A browser cannot send a header then; whatever else looks or asks has to."""
    second = caller.headers.pop("X-Conductor-CSRF")
    kind, _ = next(caller.events(f"{EVENTS}&csrf={second}"))
    assert kind == "entries"
    assert caller.get(f"{EVENTS}&csrf=guessed").code == "no-csrf"
    assert caller.post(f"{REQUESTS}?csrf={second}", APPROVE).code == "no-csrf"
    for path in (path for path in READS if path != EVENTS):
        shown = f"{path}{'&' if '?' in path else '?'}csrf={second}"
        assert caller.get(shown).code == "no-csrf"
        assert caller.get(shown, X_Conductor_CSRF=second).status == 200


def test_the_second_token_of_another_session_is_refused(caller: Caller) -> None:
    """It belongs to its cookie."""
    other = Caller(caller.url)
    other.sign_in(TOKEN)
    answer = caller.post(REQUESTS, APPROVE, X_Conductor_CSRF=other.headers["X-Conductor-CSRF"])
    assert answer.code == "no-csrf"


def origins(caller: Caller) -> list[str | None]:
    """Origins of others, or none; our other name is another origin."""
    port = caller.address[1]
    return [
        *(None, "null", "", "http://evil.example", f"http://evil.example:{port}"),
        *(f"https://{caller.host}", f"http://127.0.0.1:{port + 1}", "http://127.0.0.1"),
        *(f"http://localhost:{port}", f"http://{caller.host}.evil.example"),
    ]


@pytest.mark.parametrize("number", range(10))
def test_a_request_of_another_origin_is_refused(caller: Caller, number: int) -> None:
    """And so is one that does not say where it comes from; the token does not help."""
    origin = origins(caller)[number]
    answer = caller.post(REQUESTS, APPROVE, Origin=origin)
    assert (answer.status, answer.code) == (403, "cross-origin")
    assert caller.post("/api/session", {"token": TOKEN}, Origin=origin).code == "cross-origin"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "[::1]:{port}", "localhost:{port}", ""],
)
def test_another_host_is_refused_whatever_it_resolves_to(caller: Caller, host: str) -> None:
    """So that nobody reads this under a name of his own."""
    named = host.format(port=caller.address[1])
    for path in (*READS, *PAGES, "/sign-in", "/api/session", "/nothing"):
        answer = caller.get(path, Host=named)
        assert (answer.status, answer.code) == (403, "wrong-host")
    own = {"Host": named, "Origin": f"http://{named}"}
    assert caller.post(REQUESTS, APPROVE, **own).code == "wrong-host"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_somebody_else_asks_for_is_refused(caller: Caller, site: str) -> None:
    """Another port of this machine is of the same site; a person may be led to a page."""
    said = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    for path in (*READS, *PAGES):
        assert caller.get(path, **said).code == "cross-site"
    led = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    assert [caller.get(path, **led).status for path in PAGES] == [200, 200]
    assert caller.get("/api/flows", **led).code == "cross-site"
    assert caller.get("/api/flows", **{"Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_could_send_is_refused(caller: Caller, kind: str | None) -> None:
    """Only JSON that says so is read."""
    answer = caller.post(REQUESTS, APPROVE, Content_Type=kind)
    assert (answer.status, answer.code) == (415, "no-json")


@pytest.mark.parametrize("method", ["GE", "T", "HE", "A", "P", "GETHEAD", "TRACE"])
def test_a_method_is_a_whole_one(caller: Caller, method: str) -> None:
    """A part of its name is none."""
    for path in ("/api/session", *READS, *PAGES):
        answer = caller.get(path, method)
        assert answer.status == 405
        assert answer.headers["allow"].startswith("GET, HEAD")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_a_post_asks(caller: Caller, method: str) -> None:
    """And nothing tells a page of somebody else what it may send."""
    answer = caller.get(f"{REQUESTS}?by=ana&step=plan&response=approve", method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_nothing_is_posted_to_what_is_looked_at(caller: Caller) -> None:
    """A look is a GET."""
    for path in (*READS, *PAGES):
        answer = caller.post(path, {})
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_body_has_a_bound(caller: Caller) -> None:
    """One that is longer is not read, and the answer arrives all the same."""
    answer = caller.post(REQUESTS, b" " * (MOST_BODY + 1))
    assert (answer.status, answer.code) == (413, "long-body")
    assert caller.post(REQUESTS, b" " * MOST_BODY).code == "no-json"


def test_read_only_takes_nothing_and_shows_all(stage: Stage) -> None:
    """Without any token; there is none to be shown either."""
    with stage.served(token=None) as url:
        caller = Caller(url)
        assert caller.get("/api/flows").json["count"] == 1
        assert [caller.get(path).status for path in PAGES] == [200, 200]
        assert caller.get("/api/session").json == {"signed_in": False, "read_only": True, "by": ""}
        for data in ({"token": ""}, {"token": None}, {"token": TOKEN}, {}):
            answer = caller.post("/api/session", data)
            assert (answer.status, answer.code) == (403, "read-only")
        answer = caller.post(REQUESTS, APPROVE)
        assert (answer.status, answer.code) == (403, "read-only")
        assert caller.get("/api/flows", Host="evil.example").code == "wrong-host"
        assert caller.get("/api/flows", **{"Sec-Fetch-Site": "cross-site"}).code == "cross-site"
