"""A program that talks to `conductor ui` as a browser would, or as no browser ever does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

WITHIN_S: Final = 20.0


@frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error."""
        code: str = self.json["error"]["code"]
        return code


class Caller:
    """Calls one server; `headers` go along with every call."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.address = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self.host = urlsplit(url).netloc
        self.headers: dict[str, str] = {}

    def sign_in(self, token: str) -> Answer:
        """Show the token, and keep what comes of it."""
        answer = self.post("/api/session", {"token": token})
        if answer.status == 200:
            self.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
            self.headers["X-Conductor-CSRF"] = answer.json["csrf"]
        return answer

    def get(self, path: str, method: str = "GET", **headers: str | None) -> Answer:
        """Ask for something."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(method, path, None, named)

    def post(self, path: str, data: object, **headers: str | None) -> Answer:
        """Send JSON as our own pages do; a header that is None is left out."""
        own = {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.call("POST", path, body, {**own, **named})

    def call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str | None]
    ) -> Answer:
        """Send a request."""
        connection = HTTPConnection(*self.address, timeout=WITHIN_S)
        all_headers = {**self.headers, **headers}
        given = {name: value for name, value in all_headers.items() if value is not None}
        connection.request(method, path, body, given)
        found = connection.getresponse()
        assert found.reason == HTTPStatus(found.status).phrase
        told = {name.lower(): value for name, value in found.getheaders()}
        answer = Answer(found.status, told, found.read())
        connection.close()
        return answer

    def raw(self, sent: bytes) -> bytes:
        """Send bytes, and read to the end."""
        with socket.create_connection(self.address, timeout=WITHIN_S) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """What the server sends, event by event."""
        connection = HTTPConnection(*self.address, timeout=WITHIN_S)
        connection.request("GET", path, headers=self.headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        try:
            yield from _events_in(response)
        finally:
            response.close()
            connection.close()


def _events_in(response: HTTPResponse) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in iter(response.readline, b""):
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            kind = value
        elif field == "data":
            yield kind, json.loads(value)
