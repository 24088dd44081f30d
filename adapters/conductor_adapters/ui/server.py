"""A server for browsers on this machine: it listens on the loopback address and nowhere else.

Rule: every connection is a task of its own with limits of its own, so that one that is slow, or
says nothing, holds up nobody. Whatever goes wrong in an answer is told here and not there.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from socket import create_server, socket
from typing import Final

from attrs import frozen

from conductor_adapters.ui.messages import (
    MOST_HEAD,
    HttpRequest,
    Refused,
    Response,
    head_of,
    read_request,
    refusal,
)
from conductor_core.errors import ConductorError

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 256


@frozen(kw_only=True)
class Patience:
    """How long a connection may take to send its request, and to take a piece of the answer."""

    request_s: float = 10.0
    write_s: float = 20.0
    linger_s: float = 1.0


def bound(port: int) -> socket:
    """A socket on this machine's own address; raises ConductorError where the port is taken."""
    try:
        return create_server((LOOPBACK, port))
    except OSError as error:
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConductorError(
            f"--port: cannot listen on {LOOPBACK}:{port}: {reason}; --port 0 takes a free one"
        ) from None


_logger = logging.getLogger("conductor_adapters.ui")


class Server:
    """Has each request answered, and each answer sealed."""

    def __init__(
        self,
        answer: Callable[[HttpRequest], Awaitable[Response]],
        seal: Callable[[Response], Response],
        *,
        patience: Patience | None = None,
    ) -> None:
        self._answer = answer
        self._seal = seal
        self._patience = patience or Patience()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def begin(self, listening: socket) -> None:
        """Serve whoever connects to a socket, which is the server's own from now on."""
        self._server = await asyncio.start_server(self._connected, sock=listening, limit=MOST_HEAD)

    async def close(self) -> None:
        """Listen no more, and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio serves each connection in a task"
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError):
            # Whoever asked has gone, or takes nothing: there is nobody to tell.
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, response = await self._answered(reader)
        if response is None:
            return
        response = self._seal(response)
        bare = request is not None and request.method == "HEAD"
        writer.write(head_of(response) + (b"" if bare else response.body))
        await self._drained(writer)
        if response.stream is not None and not bare:
            await self._flow(response.stream, reader, writer)
        await self._let_go(reader, writer)

    async def _answered(
        self, reader: asyncio.StreamReader
    ) -> tuple[HttpRequest | None, Response | None]:
        """A request and its answer, whatever goes wrong."""
        request = None
        try:
            if len(self._connections) > MOST_CONNECTIONS:
                raise Refused(503, "too-many", "too many connections are open")
            request = await self._read(reader)
            return request, None if request is None else await self._answer(request)
        except Refused as error:
            return request, refusal(error)
        except ConductorError as error:
            return request, refusal(Refused(503, "store", str(error)))
        except Exception:
            _logger.exception("a request could not be answered")
            told = "something is wrong here, which the terminal of conductor ui tells"
            return request, refusal(Refused(500, "internal", told))

    async def _read(self, reader: asyncio.StreamReader) -> HttpRequest | None:
        try:
            async with asyncio.timeout(self._patience.request_s):
                return await read_request(reader)
        except TimeoutError:
            raise Refused(408, "too-slow", "the request took too long") from None

    async def _flow(
        self,
        stream: AsyncIterator[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send pieces as they come, until there are no more or nobody is there."""
        sending = asyncio.ensure_future(self._send(stream, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, stream: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
        async for piece in stream:
            writer.write(piece)
            await self._drained(writer)

    async def _drained(self, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._patience.write_s):
            await writer.drain()

    async def _let_go(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """End a connection so that the answer arrives, though not all was read that came."""
        with suppress(OSError, TimeoutError):
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(self._patience.linger_s):
                while await reader.read(MOST_HEAD):
                    pass
