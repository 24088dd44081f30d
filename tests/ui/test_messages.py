"""What comes over a connection: anything but one plain request is refused, and nothing leaks."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import pytest

from conductor_adapters.ui.gate import Gate
from conductor_adapters.ui.messages import MOST_HEAD, Refused, parse_head
from conductor_adapters.ui.server import Patience
from tests.ui.calling import Caller
from tests.ui.stage import Stage

HEAD = "GET / HTTP/1.1\r\nHost: {host}\r\n"
UNTAMED = [
    ("GET /", 400, "no-request"),
    ("GET / HTTP/2.0\r\nHost: {host}", 400, "no-request"),
    ("get / HTTP/1.1\r\nHost: {host}", 400, "no-request"),
    ("GET  / HTTP/1.1\r\nHost: {host}", 400, "no-request"),
    ("GET http://{host}/ HTTP/1.1\r\nHost: {host}", 400, "no-request"),
    ("GET / HTTP/1.1\nX: 1\r\nHost: {host}", 400, "no-request"),
    ("GET //evil.example/ HTTP/1.1\r\nHost: {host}", 400, "no-path"),
    ("GET /%ff HTTP/1.1\r\nHost: {host}", 400, "no-path"),
    ("GET /?a=%ff HTTP/1.1\r\nHost: {host}", 400, "no-path"),
    (HEAD + "Host: {host}", 400, "header-twice"),
    (HEAD + "Cookie: a=1\r\nCookie: b=1", 400, "header-twice"),
    (HEAD + " folded: 1", 400, "no-header"),
    (HEAD + "no colon", 400, "no-header"),
    (HEAD + "X : 1", 400, "no-header"),
    (HEAD + "X: 1\n2", 400, "no-header"),
    (HEAD + "Transfer-Encoding: chunked", 411, "no-length"),
    (HEAD + "Content-Length: -1", 400, "no-length"),
    (HEAD + "Content-Length: +1", 400, "no-length"),
    (HEAD + "Content-Length: 99999999999", 400, "no-length"),
    (HEAD + "X: " + "x" * MOST_HEAD, 431, "long-head"),
    ("POST /api/session HTTP/1.1\r\nHost: {host}", 411, "no-length"),
    ("GET /../../etc/passwd HTTP/1.1\r\nHost: {host}", 404, "no-such-place"),
    ("GET /flows HTTP/1.1\r\nHost: {host}", 404, "no-such-place"),
    ("GET / HTTP/1.1\r\nX: 1", 403, "wrong-host"),
]


@pytest.mark.parametrize(("sent", "status", "code"), UNTAMED)
def test_what_is_no_plain_request_is_refused(
    caller: Caller, sent: str, status: int, code: str
) -> None:
    """With its status, and a code for programs."""
    answer = caller.raw(f"{sent.format(host=caller.host)}\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f'"code": "{code}"'.encode() in body


def test_a_connection_carries_one_request(caller: Caller) -> None:
    """What stands behind it is not heard."""
    one = f"GET /sign-in HTTP/1.1\r\nHost: {caller.host}\r\n\r\n".encode()
    answer = caller.raw(one * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("sent", [b"", b"GET /", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"])
def test_who_hangs_up_is_told_nothing(caller: Caller, sent: bytes) -> None:
    """And the next one is served."""
    assert caller.raw(sent) == b""
    assert caller.get("/api/session").status == 200


def test_head_is_a_get_without_a_body(caller: Caller) -> None:
    """Of a page, and of a stream."""
    for path in ("/sign-in", "/"):
        answer = caller.get(path, "HEAD")
        assert (answer.status, answer.body) == (200, b"")


def test_a_name_may_hold_a_slash() -> None:
    """Where it is written as one."""
    request = parse_head(b"GET /flows/a%2Fb%3A1?x=1&x=2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert request.path == ("flows", "a/b:1")
    assert request.query["x"] == ["1", "2"]
    assert (request.asked("y", "?"), request.number("x", 7)) == ("?", 1)
    assert request.number("y", 7) == 7


def test_a_refusal_reads_as_what_it_is() -> None:
    """In a log of errors."""
    assert str(Refused(400, "no-path", "the path is no text")) == "400 no-path: the path is no text"


# --- time ---


@pytest.fixture
def hasty(stage: Stage) -> Iterator[Caller]:
    """A server that waits for nobody for long."""
    with stage.served(patience=Patience(request_s=0.3, write_s=0.3, linger_s=0.1)) as url:
        yield Caller(url)


def test_a_slow_request_ends(hasty: Caller) -> None:
    """Be it slow in its head or in its body."""
    for sent in (b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
        with socket.create_connection(hasty.address, timeout=20) as connection:
            connection.sendall(sent)
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_slow_clients_hold_up_nobody(caller: Caller) -> None:
    """A hundred that say nothing, and one that is served at once."""
    silent = [socket.create_connection(caller.address, timeout=20) for _ in range(100)]
    try:
        for connection in silent:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        began_s = time.monotonic()
        assert caller.get("/api/flows").status == 200
        assert time.monotonic() - began_s < 5
    finally:
        for connection in silent:
            connection.close()


def test_too_many_connections_are_told_so(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when some have gone, others are served."""
    monkeypatch.setattr("conductor_adapters.ui.server.MOST_CONNECTIONS", 3)
    silent = [socket.create_connection(caller.address, timeout=20) for _ in range(3)]
    while (answer := caller.get("/api/session")).status == 200:
        time.sleep(0.02)
    assert (answer.status, answer.code) == (503, "too-many")
    for connection in silent:
        connection.close()
    while caller.get("/api/session").status != 200:
        time.sleep(0.02)


# --- what goes wrong here ---


def test_an_error_here_is_told_here_and_not_there(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No traceback, no path, no reason leaves this process."""

    def broken(*_arguments: object, **_named: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(Gate, "check_place", broken)
    with caplog.at_level(logging.ERROR):
        answer = caller.get("/api/session")
    assert (answer.status, answer.code) == (500, "internal")
    assert b"secret" not in answer.body
    assert "a secret" in caplog.text
