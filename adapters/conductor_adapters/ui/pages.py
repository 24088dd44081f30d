"""The pages that are served: the one of `conductor html` for a flow, the list of flows, the door.

Rule: a page runs and is styled by nothing but the texts whose hashes its policy names, and talks to
nobody but the server it came from.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from conductor_adapters.debugger.html import Page, page_of, written
from conductor_adapters.debugger.html import asset as asset_of_page
from conductor_adapters.ui.messages import HTML, Response

PACKAGE: Final = "conductor_adapters.ui"
CONNECT: Final = "'self'"
NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'"
"""The policy of what is no page."""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
POLICY: Final = "Content-Security-Policy"
TOKEN_WORDS: Final = (
    "conductor ui printed an address when it was started, and a token in it. "
    "Open that address, or type the token."
)


def asset(name: str) -> str:
    """A text of these pages."""
    return asset_of_page(name, PACKAGE)


def seal(response: Response) -> Response:
    """A response with what forbids a browser all that it need not do."""
    policy = response.headers.get(POLICY, NOTHING)
    headers = {**response.headers, **HEADERS, POLICY: f"{policy}; frame-ancestors 'none'"}
    return evolve(response, headers=headers)


def flow_page(view: dict[str, Any]) -> Response:
    """The page of a flow, which goes on from what it is given."""
    return _served(
        page_of([view], connect=CONNECT, script=asset("flow.js"), style=asset("flow.css"))
    )


def list_page(store: str) -> Response:
    """The list of flows, which asks for all that stands in it."""
    return _served(_own("flows.html", "flows.js", "Flows", {"store": store}))


def sign_in_page() -> Response:
    """Where the token becomes a session."""
    data = {"heading": "Who is there?", "words": TOKEN_WORDS, "sign_in": True}
    return _served(_own("door.html", "door.js", "Sign in", data))


def error_page(status: int, heading: str, words: str) -> Response:
    """Why there is nothing to be seen."""
    data = {"heading": heading, "words": words, "sign_in": False}
    return evolve(_served(_own("door.html", "door.js", heading, data)), status=status)


def _own(template: str, script: str, title: str, data: object) -> Page:
    return written(
        asset(template),
        title=title,
        style=asset_of_page("page.css") + asset("flow.css") + asset("flows.css"),
        scripts=[asset_of_page("base.js") + asset(script)],
        data=data,
        connect=CONNECT,
    )


def _served(page: Page) -> Response:
    return Response(kind=HTML, body=page.text.encode(), headers={POLICY: page.policy})
