"""Who may look, and who may ask: a token that is printed at the start, and sessions of browsers.

Rule: a page of somebody else must never do either, whatever its address resolves to (Host),
wherever it stands (Origin, Sec-Fetch-Site), and whatever cookies a browser sends along. Cookies
reach other ports of this machine, where another account may listen: to look takes a second token,
too, which only our pages can read.
Secrets are compared in constant time.

Where nobody may ask anything there is no token, and whoever is on this machine may look.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import Final

from attrs import frozen

from conductor_adapters.ui.messages import JSON, HttpRequest, Refused

MOST_SESSIONS: Final = 64
"""The oldest ends where there would be more."""
TOKEN_BYTES: Final = 32
SECOND: Final = "x-conductor-csrf"
"""The header that shows the second token."""
NAME: Final = "127.0.0.1"
"""The one name: as `localhost` somebody else may be met, at the machine's other address."""
OWN: Final = ("same-origin", "none")
"""What a browser says of a request of our own pages, and of one that its user typed."""


@frozen
class Session:
    """A browser that showed the token; `csrf` stands in each request for what is no page."""

    id: str
    csrf: str


class Gate:
    """The gate of a server on a port; without a token, nothing can be asked through it."""

    def __init__(self, port: int, token: str | None) -> None:
        self._token = token
        self._hosts = (f"{NAME}:{port}", *([NAME] if port == 80 else []))
        self._sessions: dict[str, Session] = {}
        self.cookie = f"conductor-{port}"

    @property
    def read_only(self) -> bool:
        """Whether nobody may ask anything, and anybody here may look."""
        return self._token is None

    # --- what every request has to meet ---

    def check_place(self, request: HttpRequest, *, page: bool) -> None:
        """Raise Refused unless a request is meant for us, and comes from our own pages.

        A page may be led to from anywhere.
        """
        if request.headers.get("host", "").lower() not in self._hosts:
            raise Refused(403, "wrong-host", f"expected http://{self._hosts[0]}/")
        site = request.headers.get("sec-fetch-site", "none")
        led_here = page and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        if site not in OWN and not led_here:
            raise Refused(403, "cross-site", "the request comes from a page of somebody else")

    def check_write(self, request: HttpRequest) -> None:
        """Raise Refused unless a request that changes something is one of our own pages."""
        if self.read_only:
            raise Refused(403, "read-only", "conductor ui was started to look only")
        if request.headers.get("origin") != f"http://{request.headers['host'].lower()}":
            raise Refused(403, "cross-origin", "the request comes from another origin")
        kind, _, _ = request.headers.get("content-type", "").partition(";")
        if kind.strip().lower() != JSON:
            raise Refused(415, "no-json", f"expected {JSON}")

    # --- sessions ---

    def sign_in(self, token: object) -> Session:
        """A new session for whoever shows the token; raises Refused."""
        if self._token is None or not isinstance(token, str) or not _same(token, self._token):
            raise Refused(401, "wrong-token", "that is not the token that was printed")
        session = Session(secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES))
        self._sessions[session.id] = session
        if len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    def sign_out(self, request: HttpRequest) -> str:
        """End the session of a request; what has a browser forget it."""
        session = self.session_of(request)
        if session is not None:
            del self._sessions[session.id]
        return f"{self.cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"

    def session_of(self, request: HttpRequest) -> Session | None:
        """The session that a request belongs to."""
        shown = request.cookie(self.cookie) or ""
        found = None
        for session in self._sessions.values():
            # All are compared, so that the time tells nothing.
            found = session if _same(shown, session.id) else found
        return found

    def may_enter(self, request: HttpRequest) -> bool:
        """Whether a request may have a page, in which nothing of any flow stands."""
        return self.read_only or self.session_of(request) is not None

    def check_look(self, request: HttpRequest, *, follows: bool = False) -> None:
        """Raise Refused unless a request may be told what stands in the store.

        A browser sends no headers of ours where it `follows` a log, and only there the second token
        may stand in the query: an address is kept in more places than a header.
        """
        if not self.read_only:
            shown = request.headers.get(SECOND, "")
            self._check(request, shown or (request.asked("csrf") if follows else ""))

    def check_ask(self, request: HttpRequest) -> None:
        """Raise Refused unless a request may change something."""
        self._check(request, request.headers.get(SECOND, ""))

    def is_known(self, request: HttpRequest) -> bool:
        """Whether a request has a session, and the second token of it."""
        session = self.session_of(request)
        return session is not None and _same(request.headers.get(SECOND, ""), session.csrf)

    def _check(self, request: HttpRequest, shown: str) -> None:
        """Raise Refused unless a request has a session, and this is the second token of it."""
        session = self.session_of(request)
        if session is None:
            raise Refused(401, "no-session", "the token was not shown")
        if not _same(shown, session.csrf):
            raise Refused(403, "no-csrf", "the request lacks the token of its session")

    def set_cookie(self, session: Session) -> str:
        """What has a browser keep a session until it is closed, for us alone."""
        return f"{self.cookie}={session.id}; Path=/; HttpOnly; SameSite=Strict"


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def _same(given: str, secret: str) -> bool:
    return compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())
