"""What is delivered to a host from outside, and what must become of it.

Rule: what is delivered at the same time may be taken in any order; the log says in which, and
the world takes it in the same. Whatever was delivered stands in the log, with its verdict.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from attrs import evolve

from conductor_core.codec import encode_event
from conductor_core.events import Event
from conductor_core.log import Entry
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.case import addressed
from conductor_core.testing.conformance.foreseen import Foreseen
from conductor_core.testing.conformance.patience import Patience
from conductor_core.testing.conformance.recorded import LogReader, LogSoFar
from conductor_core.testing.conformance.rig import Rig
from conductor_core.verdicts import Accepted, Ignored, Verdict

Told: TypeAlias = Counter[tuple[Event, str]]
"""Events without their times, and what was told of them."""

ACCEPTED: Final = str(Accepted())
DUPLICATE: Final = str(Ignored("duplicate-request"))


class Deliveries:
    """The ways in to a host, for everything but what its own work and timers say."""

    def __init__(self, rig: Rig, log: LogReader, world: Foreseen, *, patience_s: float) -> None:
        self._rig = rig
        self._log = log
        self._world = world
        self._patience_s = patience_s
        self._repeated = 0

    async def tell(self, named: Sequence[tuple[str, Event]]) -> None:
        """Deliver named requests or facts at once; their verdicts must be the reducer's."""
        state = await self._rig.state()
        events = [addressed(event, state, name) for name, event in named]
        before = await self._log.read()
        told = await self._tell(events)
        omitted = await self._omitted(told, before)
        logged = (await self._log.read()).entries[len(before.entries) :]
        foreseen: Told = Counter()
        for number in _order(events, logged):
            name, event = named[number]
            verdict = self._world.send(addressed(event, self._world.state, name))
            foreseen[_timeless(events[number]), str(verdict)] += 1
        _check_verdicts(told, foreseen)
        _check_logged(omitted)

    async def repeat(self, facts: Iterable[Event], breakage: Breakage) -> None:
        """Deliver facts at once that must not count any more."""
        before = await self._log.read()
        told = await self._tell(list(facts))
        for event, verdict in told:
            if not verdict.startswith("ignored"):
                how = "again" if breakage is Breakage.DUPLICATE_COUNTED else "late"
                what = f"{_shown(event)} came {how} and was {verdict}, expected it to be ignored"
                raise Breach(breakage, what)
        _check_logged(await self._omitted(told, before))

    async def repeat_new(self) -> None:
        """Deliver once more every fact that has counted since this was last done."""
        facts = (await self._log.read()).facts()
        new, self._repeated = facts[self._repeated :], len(facts)
        await self.repeat(new, Breakage.DUPLICATE_COUNTED)

    async def repeat_all(self, breakage: Breakage) -> None:
        """Deliver once more every fact that has ever counted."""
        await self.repeat((await self._log.read()).facts(), breakage)

    async def _tell(self, events: Sequence[Event]) -> Told:
        # A rejection is known by its code: its message is for people.
        verdicts: list[Verdict] = await asyncio.gather(*map(self._rig.tell, events))
        return Counter(zip(map(_timeless, events), map(str, verdicts), strict=True))

    async def _omitted(self, told: Told, before: LogSoFar) -> Told:
        """What was told of events and does not stand in the log, where it must."""
        patience = Patience(self._patience_s)
        omitted = _missing(told, await self._log.read(), before)
        while omitted and self._log.torn and patience.lasts(omitted):
            await patience.pause()
            omitted = _missing(told, await self._log.read(), before)
        return omitted


def _missing(told: Told, log: LogSoFar, before: LogSoFar) -> Told:
    must = told
    if log.selective:
        must = Counter({key: count for key, count in told.items() if key[1] == ACCEPTED})
    entries = log.entries[len(before.entries) :]
    return must - Counter((_timeless(entry.event), str(entry.verdict)) for entry in entries)


def _check_logged(omitted: Told) -> None:
    """Raise Breach where something was told of an event that the log does not say."""
    for event, verdict in omitted:
        what = f"{_shown(event)} was {verdict}, and the log does not say so"
        raise Breach(Breakage.LOG_OMITS, what)


def _order(events: Sequence[Event], logged: Iterable[Entry]) -> list[int]:
    """The numbers of events in the order of their entries; what has none comes last."""
    waiting = dict(enumerate(map(_timeless, events)))
    order: list[int] = []
    for event in (_timeless(entry.event) for entry in logged):
        found = next((number for number, other in waiting.items() if other == event), None)
        if found is not None:
            order.append(found)
            del waiting[found]
    return [*order, *waiting]


def _check_verdicts(told: Told, foreseen: Told) -> None:
    """Raise Breach unless events got their verdicts, whichever of two equal ones got which."""
    for event, verdict in told - foreseen:
        expected = next(other for known, other in foreseen - told if known == event)
        twice = expected == DUPLICATE
        breakage = Breakage.DUPLICATE_COUNTED if twice else Breakage.OTHER_VERDICT
        what = f"{_shown(event)} was {verdict}, expected {expected}"
        raise Breach(breakage, what)


def _timeless(event: Event) -> Event:
    return evolve(event, at_ms=0)


def _shown(event: Event) -> str:
    """An event in short: its type, and what it is about."""
    wire = encode_event(event)
    about = wire.get("attempt") or wire.get("timer")
    return wire["type"] if about is None else f"{wire['type']} of {about!r}"
