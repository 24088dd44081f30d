"""A flow's log as it grows, told to pages: entries with patches, and what may be asked now.

Rule: every line is verified as a replay verifies it, by the semantics of the log; states stay
here. However many pages follow a flow, its log is looked at once for all of them, and no more
often than is cheap.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

from conductor_adapters.client import Client
from conductor_adapters.debugger.view import entry, opening_of
from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.ui.standing import standing_of
from conductor_core.errors import ConductorError, LogError
from conductor_core.log import Player
from conductor_core.state import FlowState

LOOK_S: Final = 0.3
"""So often a log is looked at, while that costs little."""
SHARE: Final = 5
"""After a look that took long comes a rest that is so many times as long."""
BEAT_S: Final = 10.0
"""So often a page that follows hears that all is well, though nothing happens."""
BATCH: Final = 500
"""So many entries are sent at once."""


class Lines(Iterator[str]):
    """Lines that come bit by bit: it ends where there are none yet, and goes on with more."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()

    def add(self, lines: Sequence[str]) -> None:
        """Put lines behind those that are there."""
        self._lines.extend(lines)

    def __next__(self) -> str:
        if not self._lines:
            raise StopIteration
        return self._lines.popleft()


class Feed:
    """What is known of a flow, as far as it was looked at."""

    def __init__(self, client: Client, flow_id: str, name: str) -> None:
        self.flow_id = flow_id
        self.entries: list[dict[str, Any]] = []
        self.standing: dict[str, Any] = {}
        self._client = client
        self._name = name
        self._lines = Lines()
        self._player: Player | None = None
        self._state: FlowState | None = None
        self._looking = asyncio.Lock()
        self._look_again_s = 0.0
        self._damage: LogError | None = None

    @property
    def seq(self) -> int:
        """The number of the last entry."""
        return len(self.entries)

    async def catch_up(self) -> None:
        """Look whether there is more; raises ConductorError."""
        # Who gives up waiting leaves no thread behind that the next one would work beside.
        await asyncio.shield(self._catch_up())

    async def _catch_up(self) -> None:
        async with self._looking:
            if self._damage is not None:
                raise self._damage
            loop = asyncio.get_running_loop()
            if loop.time() >= self._look_again_s:
                lines = await self._read(loop.time)
                await self._verify(lines)

    async def _read(self, now_s: Callable[[], float]) -> Sequence[str]:
        """The lines that are new, and when to look for more."""
        began_s = now_s()
        after = -1 if self._player is None else self.seq
        try:
            return await self._client.log(self.flow_id, after=after)
        finally:
            rest_s = max(LOOK_S / 2, SHARE * (now_s() - began_s))
            self._look_again_s = now_s() + rest_s

    async def _verify(self, lines: Sequence[str]) -> None:
        """Take lines in a thread: a long log takes a while, for which others are not kept."""
        if lines:
            try:
                await asyncio.to_thread(self._take, lines)
            except LogError as error:
                self._damage = error
                raise

    def _take(self, lines: Sequence[str]) -> None:
        """Verify lines and tell what they say."""
        self._lines.add(lines)
        if self._player is None:
            self._player = Player(self._lines, flow_id=self.flow_id)
            self._state = self._player.state
        assert self._state is not None, "a player has a state"
        for played in self._player:
            told = entry(played.seq, self._state, played.event, played.transition)
            self._state = played.transition.state
            self.entries.append(told)
        self.standing = standing_of(self._state)

    def nudge(self) -> None:
        """Look at once when somebody looks: something was asked."""
        self._look_again_s = 0.0

    def view(self) -> dict[str, Any]:
        """All of it, as a page begins with."""
        assert self._player is not None, "the log was looked at"
        return {**opening_of(self._name, self._player.header), "entries": list(self.entries)}

    async def follow(self, after: int) -> AsyncGenerator[bytes]:
        """What comes behind an entry, as events that are sent by the server."""
        told: object = None
        if after > self.seq:
            # The page knows more than the store has: it is of another flow.
            yield event_of("reset", {})
            return
        async for came in self._looks():
            while after < self.seq:
                batch = self.entries[after : after + BATCH]
                after += len(batch)
                yield event_of("entries", batch)
            if self.standing is not told:
                told = self.standing
                yield event_of("standing", self.standing)
            if came is not None:
                yield came

    async def _looks(self) -> AsyncIterator[bytes | None]:
        """Look again and again; tell of trouble, and now and then of nothing."""
        loop = asyncio.get_running_loop()
        beat_s = loop.time()
        trouble = ""
        while True:
            now = ""
            try:
                await self.catch_up()
            except (LogError, UnknownFlow) as error:
                yield event_of("gone", {"message": str(error)})
                return
            except ConductorError as error:
                now = str(error)
            if now != trouble or loop.time() - beat_s > BEAT_S:
                trouble, beat_s = now, loop.time()
                yield event_of("trouble", {"message": now})
            else:
                yield None
            await asyncio.sleep(LOOK_S)


def event_of(kind: str, data: object) -> bytes:
    """An event for a page; JSON has no line breaks of its own."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class Feeds:
    """The feeds of the flows that were looked at last."""

    MOST: Final = 32

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._feeds: dict[str, Feed] = {}

    def nudge(self, flow_id: str) -> None:
        """Have a flow looked at anew of which something was asked."""
        if flow_id in self._feeds:
            self._feeds[flow_id].nudge()

    async def of(self, flow_id: str) -> Feed:
        """The feed of a flow, as it is now; raises ConductorError."""
        feed = self._feeds.pop(flow_id, None) or Feed(self._client, flow_id, self._name)
        self._feeds[flow_id] = feed
        if len(self._feeds) > self.MOST:
            del self._feeds[next(iter(self._feeds))]
        try:
            await feed.catch_up()
        except ConductorError as error:
            # What was known of it is shown still, and the page is told what is wrong.
            if isinstance(error, UnknownFlow) or not feed.seq:
                self._feeds.pop(flow_id, None)
                raise
        return feed
