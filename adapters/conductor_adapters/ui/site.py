"""What is answered to a request: pages, what stands in the store, and verdicts.

Rule: every request passes the gate before anything is looked at, and what changes something passes
all of it. A route says what it needs; nothing else is reachable.

| what | where |
|---|---|
| `GET /`, `GET /flows/ID` | the list of flows, and the page of one |
| `GET /sign-in` | the door, which needs nothing |
| `GET`, `POST /api/session` | who a browser is; the token becomes a session |
| `POST /api/sign-out` | the end of that session |
| `GET /api/flows`, `/api/waits` | a page of the list, and what flows wait for |
| `GET /api/flows/ID/events?after=N` | what happens to a flow, as events that the server sends |
| `POST /api/flows/ID/requests` | a request to a flow, and its verdict |
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeAlias
from urllib.parse import quote

from attrs import frozen

from conductor_adapters.client import Client
from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.ui import pages
from conductor_adapters.ui.asking import ask
from conductor_adapters.ui.feed import Feed, Feeds
from conductor_adapters.ui.gate import Gate
from conductor_adapters.ui.listing import Listing, Wanted
from conductor_adapters.ui.messages import (
    STREAM,
    HttpRequest,
    Refused,
    Response,
    as_json,
    json_of,
)

Answer: TypeAlias = Callable[[HttpRequest], Awaitable[Response]]
ANY: Final = "*"


@frozen(kw_only=True)
class Route:
    """What answers at a path, where `*` is any part; and what that takes.

    `open`: whoever comes may see it; `follows`: what is answered goes on as a log grows.
    A write is a POST, and passes all of the gate.
    """

    path: tuple[str, ...]
    get: Answer | None = None
    post: Answer | None = None
    page: bool = False
    open: bool = False
    follows: bool = False

    def fits(self, path: tuple[str, ...]) -> bool:
        """Whether it answers at a path."""
        same = zip(self.path, path, strict=False)
        return len(self.path) == len(path) and all(part in (ANY, here) for part, here in same)

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be sent there."""
        return (*(("GET", "HEAD") if self.get else ()), *(("POST",) if self.post else ()))


class Site:
    """Answers for a store; `by` is the name that stands in the field for it at first."""

    def __init__(self, client: Client, gate: Gate, *, store: str, by: str = "") -> None:
        self._client = client
        self._gate = gate
        self._store = store
        self._by = by
        self._feeds = Feeds(client, store)
        self._listing = Listing(client)
        self._routes = (
            Route(path=("",), get=self._list, page=True),
            Route(path=("flows", ANY), get=self._flow, page=True),
            Route(path=("sign-in",), get=self._door, page=True, open=True),
            Route(path=("api", "session"), get=self._session, post=self._sign_in, open=True),
            Route(path=("api", "sign-out"), post=self._sign_out),
            Route(path=("api", "flows"), get=self._rows),
            Route(path=("api", "waits"), get=self._waits),
            Route(path=("api", "flows", ANY), get=self._view),
            Route(path=("api", "flows", ANY, "events"), get=self._events, follows=True),
            Route(path=("api", "flows", ANY, "requests"), post=self._ask),
        )

    async def answer(self, request: HttpRequest) -> Response:
        """Answer a request; raises Refused and ConductorError."""
        route = next((each for each in self._routes if each.fits(request.path)), None)
        self._gate.check_place(request, page=route is not None and route.page)
        if route is None:
            raise Refused(404, "no-such-place", "there is nothing there")
        answer = route.post if request.method == "POST" else route.get
        if answer is None or request.method not in route.methods:
            methods = ", ".join(route.methods)
            raise Refused(405, "wrong-method", f"expected {methods}", Allow=methods)
        if request.method == "POST":
            self._gate.check_write(request)
            if not route.open:
                self._gate.check_ask(request)
        elif route.page:
            if not (route.open or self._gate.may_enter(request)):
                to = f"/sign-in?to={quote(request.target, safe='')}"
                return Response(status=303, headers={"Location": to})
        elif not route.open:
            self._gate.check_look(request, follows=route.follows)
        return await answer(request)

    # --- pages ---

    async def _list(self, _request: HttpRequest) -> Response:
        return pages.list_page(self._store)

    async def _flow(self, _request: HttpRequest) -> Response:
        return pages.flow_page()

    async def _door(self, _request: HttpRequest) -> Response:
        return pages.sign_in_page()

    # --- sessions ---

    async def _session(self, request: HttpRequest) -> Response:
        signed_in = self._gate.is_known(request)
        told = {"signed_in": signed_in, "read_only": self._gate.read_only}
        return as_json({**told, "by": self._by if signed_in else ""})

    async def _sign_in(self, request: HttpRequest) -> Response:
        session = self._gate.sign_in(json_of(request).get("token"))
        return as_json({"csrf": session.csrf}, Set_Cookie=self._gate.set_cookie(session))

    async def _sign_out(self, request: HttpRequest) -> Response:
        return as_json({"signed_in": False}, Set_Cookie=self._gate.sign_out(request))

    # --- what stands in the store ---

    async def _rows(self, request: HttpRequest) -> Response:
        kind, text, page = request.asked("kind"), request.asked("text"), request.number("page", 1)
        return as_json(await self._listing.page(Wanted(kind=kind, text=text, page=page)))

    async def _waits(self, request: HttpRequest) -> Response:
        return as_json(await self._listing.waits(request.query.get("flow", [])))

    async def _view(self, request: HttpRequest) -> Response:
        feed = await self._found(request.path[2])
        return await asyncio.to_thread(as_json, feed.view())

    async def _events(self, request: HttpRequest) -> Response:
        feed = await self._found(request.path[2])
        stream = self._while_known(request, feed.follow(request.number("after", 0)))
        return Response(kind=STREAM, stream=stream)

    async def _while_known(
        self, request: HttpRequest, stream: AsyncGenerator[bytes]
    ) -> AsyncGenerator[bytes]:
        """What comes as long as the session lasts: who signed out is told no more."""
        async with aclosing(stream):
            async for piece in stream:
                if not self._gate.may_enter(request):
                    return
                yield piece

    async def _found(self, flow_id: str) -> Feed:
        """The feed of a flow; raises Refused where there is none."""
        try:
            return await self._feeds.of(flow_id)
        except UnknownFlow as error:
            raise Refused(404, "unknown-flow", str(error)) from None

    # --- requests ---

    async def _ask(self, request: HttpRequest) -> Response:
        try:
            told = await ask(self._client, request.path[2], json_of(request))
        except UnknownFlow as error:
            raise Refused(404, "unknown-flow", str(error)) from None
        self._feeds.nudge(request.path[2])
        return as_json(told)
