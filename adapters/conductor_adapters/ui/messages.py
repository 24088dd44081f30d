"""HTTP as far as a browser on this machine needs it: a request that is read, a response to it.

Rule: what is not plainly one request within all bounds is refused, never guessed at; each
connection carries one request, so that none can hide behind another.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import field, frozen

MOST_HEAD: Final = 16 * 1024
MOST_BODY: Final = 64 * 1024
PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
STREAM: Final = "text/event-stream; charset=utf-8"
_LINE: Final = re.compile(r"([A-Z]{1,16}) (/[\x21-\x7e]*) HTTP/1\.[01]")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,9}")


class Refused(Exception):
    """A request that is answered with an error: its status, a code for programs, and why."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(f"{status} {code}: {message}")


@frozen(kw_only=True)
class HttpRequest:
    """One request; `path` are the parts between slashes, header names are in lower case."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, list[str]] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    target: str = "/"

    def asked(self, name: str, default: str = "") -> str:
        """A field of the query."""
        return self.query.get(name, [default])[0]

    def number(self, name: str, default: int) -> int:
        """A field of the query that is a number."""
        text = self.asked(name)
        return int(text) if _LENGTH.fullmatch(text) else default

    def cookie(self, name: str) -> str | None:
        """The value of a cookie."""
        for pair in self.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return None


@frozen(kw_only=True)
class Response:
    """One response: a body, or a stream of pieces that are sent as they come."""

    status: int = 200
    kind: str = JSON
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = field(factory=dict)


def as_json(value: object, status: int = 200, **headers: str) -> Response:
    """A value as JSON, in ASCII."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status=status, body=json.dumps(value).encode(), headers=named)


def refusal(error: Refused) -> Response:
    """What whoever sent a request that is refused is told; nothing else leaks."""
    told = {"error": {"code": error.code, "message": error.message}}
    return as_json(told, error.status, **error.headers)


def json_of(request: HttpRequest) -> dict[str, Any]:
    """The object in the body of a request; raises Refused."""
    try:
        data = json.loads(request.body.decode("utf-8"))
        # What is no text, as a half surrogate is none, can stand in no log.
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused(400, "no-json", "the body is no JSON text") from None
    if not isinstance(data, dict):
        raise Refused(400, "no-object", "the body is no JSON object")
    return data


# --- reading ---


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The request of a connection, None where it ended before there was one; raises Refused."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise Refused(431, "long-head", "the head of the request is too long") from None
    request = parse_head(head)
    length = _length_of(request)
    if not length:
        return request
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    return HttpRequest(
        method=request.method, path=request.path, query=request.query, headers=request.headers,
        body=body, target=request.target,
    )  # fmt: skip


def parse_head(head: bytes) -> HttpRequest:
    """A request without its body; raises Refused."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    found = _LINE.fullmatch(first)
    if found is None:
        raise Refused(400, "no-request", "the first line is none of a request")
    method, target = found.groups()
    return HttpRequest(method=method, headers=_headers(lines), target=target, **_place(target))


def _place(target: str) -> dict[str, Any]:
    """The path and the query of a target."""
    if target.startswith("//"):
        raise Refused(400, "no-path", "the path begins with two slashes")
    try:
        parts = urlsplit(target)
        path = tuple(unquote(each, errors="strict") for each in parts.path[1:].split("/"))
        query = parse_qs(parts.query, errors="strict", max_num_fields=200)
    except ValueError:
        raise Refused(400, "no-path", "the path is no text") from None
    return {"path": path, "query": query}


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        matched = _HEADER.fullmatch(line)
        if matched is None:
            raise Refused(400, "no-header", "a line of the head is no header")
        name = matched[1].lower()
        if name in found:
            raise Refused(400, "header-twice", f"the header {name} stands there twice")
        found[name] = matched[2].rstrip(" \t")
    return found


def _length_of(request: HttpRequest) -> int:
    """How long the body is; raises Refused."""
    if "transfer-encoding" in request.headers:
        raise Refused(411, "no-length", "the body has to come with its length, in one piece")
    told = request.headers.get("content-length")
    if told is None:
        if request.method == "POST":
            raise Refused(411, "no-length", "the request has no length")
        return 0
    if not _LENGTH.fullmatch(told):
        raise Refused(400, "no-length", "the length is no number")
    if int(told) > MOST_BODY:
        raise Refused(413, "long-body", f"the body is longer than {MOST_BODY:,} bytes")
    return int(told)


# --- writing ---


def head_of(response: Response) -> bytes:
    """What is sent before the body."""
    headers = {"Content-Type": response.kind, **response.headers, "Connection": "close"}
    if response.stream is None:
        headers["Content-Length"] = str(len(response.body))
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    assert not any("\r" in line or "\n" in line for line in lines), "a header is one line"
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
