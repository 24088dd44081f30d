"""The pages that are served: the one of `conductor html` for a flow, the list of flows, the door.

Rule: a page runs and is styled by nothing but the texts whose hashes its policy names, and talks to
nobody but the server it came from. Nothing of any flow stands in one: it asks for that, and shows
who asks by more than a cookie.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_adapters.debugger.html import Page, written
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


def asset(name: str) -> str:
    """A text of these pages."""
    return asset_of_page(name, PACKAGE)


def seal(response: Response) -> Response:
    """A response with what forbids a browser all that it need not do."""
    policy = response.headers.get(POLICY, NOTHING)
    headers = {**response.headers, **HEADERS, POLICY: f"{policy}; frame-ancestors 'none'"}
    return evolve(response, headers=headers)


def flow_page() -> Response:
    """The page of a flow, which asks for its log and follows it."""
    return _served(
        written(
            asset_of_page("page.html"),
            title="Flow",
            style=asset_of_page("page.css") + asset("flow.css"),
            scripts=[
                asset_of_page("base.js") + asset_of_page("page.js"),
                asset("session.js") + asset("flow.js"),
            ],
            data={},
            connect=CONNECT,
        )
    )


def list_page(store: str) -> Response:
    """The list of flows, which asks for all that stands in it."""
    return _served(_own("flows.html", "flows.js", "Flows", {"store": store}))


def sign_in_page() -> Response:
    """Where the token becomes a session."""
    return _served(_own("door.html", "door.js", "Sign in", {}))


def _own(template: str, script: str, title: str, data: object) -> Page:
    return written(
        asset(template),
        title=title,
        style=asset_of_page("page.css") + asset("flow.css") + asset("flows.css"),
        scripts=[asset_of_page("base.js") + asset("session.js") + asset(script)],
        data=data,
        connect=CONNECT,
    )


def _served(page: Page) -> Response:
    return Response(kind=HTML, body=page.text.encode(), headers={POLICY: page.policy})
