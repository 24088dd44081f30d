"""Requests to one flow on Temporal, many at once, while it continues as new again and again.

Rule: each is answered once, and the answer is what the log says: what was accepted stands there
once, whichever run it met, and nothing else does. Nothing is lost that came as a signal either.

    python -m property_tests.temporal_requests --requests 1000 --groups 60

One caller changes the approval option back and forth, another pauses the flow and resumes it,
each waiting for its answers; besides, groups are appended, many at once, some by signals and
some by two callers who ask the same. The flow and its callers wait for each other (`Pace`), so
that every run meets its share of the requests.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle
from statistics import median
from typing import Final

from attrs import define, field, frozen
from temporalio.client import Client

from conductor_adapters.temporal import TemporalClient, conductor_worker, names
from conductor_adapters.work import StepContext
from conductor_core import FlowOptions, FlowSpec, FlowState, GroupSpec, StepSpec, events
from conductor_core.codec import encode_event
from conductor_core.events import Request, is_request
from conductor_core.log import Entry, read_log, replay
from conductor_core.verdicts import Accepted
from tests.services.temporal import Temporal

FLOW_ID: Final = "asked"
QUEUE: Final = "requests"
WORK: Final = "wait-for-requests"
AHEAD: Final = 2
"""So many groups requests may be ahead of the flow."""
CALLERS: Final = 6
"""So many append at once, and as many more by signals."""
TWICE: Final = 5
"""Every so manieth appending request is made by two callers at once."""
PATIENCE_S: Final = 120.0
POLL_S: Final = 0.002
DUPLICATE: Final = "ignored(duplicate-request)"


class LostError(AssertionError):
    """What became of a request that must not."""


@frozen(kw_only=True)
class Size:
    """How many requests of each kind there are, and with how many groups the flow begins.

    A third changes the option, a third pauses and resumes; the others append, half by signals.
    """

    requests: int
    groups: int

    @property
    def toggles(self) -> int:
        """How often the option is changed."""
        return self.requests // 3

    @property
    def pauses(self) -> int:
        """How often the flow is paused and resumed."""
        return self.requests // 6

    @property
    def signals(self) -> int:
        """How many groups are appended by signals."""
        return (self.requests - self.toggles - 2 * self.pauses) // 2

    @property
    def appends(self) -> int:
        """How many groups are appended by updates."""
        return self.requests - self.toggles - 2 * self.pauses - self.signals

    @property
    def all_groups(self) -> int:
        """How many groups there are in the end."""
        return self.groups + self.appends + self.signals


FULL: Final = Size(requests=1_000, groups=60)


@frozen
class Answered:
    """What became of the requests of a trial."""

    requests: int
    signals: int
    doubled: int
    runs: int
    met: int
    """So many runs met requests."""
    entries: int
    median_ms: float
    longest_ms: float


# --- pace ---


@define
class Pace:
    """Has requests and groups wait for each other: neither is far ahead of the other."""

    size: Size
    begun: int = 0
    sent: int = 0
    answered: int = 0

    async def work(self, _context: StepContext) -> None:
        """Wait for the share of this group; the last one waits for all."""
        self.begun += 1
        share = min(self.size.requests, self.begun * self.size.requests // self.size.all_groups)
        await until(lambda: self.answered >= share)

    async def turn(self) -> None:
        """Wait until the flow has come so far that another request is due."""
        self.sent += 1
        share = self.sent * self.size.all_groups // self.size.requests - AHEAD
        await until(lambda: self.begun >= share)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():
        await asyncio.sleep(POLL_S)


# --- requests ---


@define
class Callers:
    """Who asks, and what they are answered."""

    client: TemporalClient
    pace: Pace
    verdicts: dict[str, list[str]] = field(factory=lambda: defaultdict(list))
    signalled: set[str] = field(factory=set)
    took_ms: list[float] = field(factory=list)

    async def ask_all(self) -> None:
        """Make all requests, and come back when all are answered."""
        size = self.pace.size
        appends = iter(range(size.appends))
        signals = iter(range(size.signals))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.toggle(size.toggles))
            group.create_task(self.pause(size.pauses))
            for _ in range(CALLERS):
                group.create_task(self.append(appends))
                group.create_task(self.signal(signals))

    async def toggle(self, times: int) -> None:
        """Change the approval option back and forth."""
        for number, option in zip(range(times), cycle(("approve-all", "prompt")), strict=False):
            await self.pace.turn()
            await self.ask(
                f"option-{number}", partial(events.ApprovalOptionChanged, option=option, by="ana")
            )

    async def pause(self, times: int) -> None:
        """Pause the flow and resume it."""
        for number in range(times):
            await self.pace.turn()
            self.pace.sent += 1
            await self.ask(f"pause-{number}", partial(events.PauseRequested, by="ben"))
            await self.ask(f"resume-{number}", partial(events.ResumeRequested, by="ben"))

    async def append(self, numbers: Iterator[int]) -> None:
        """Append groups, some of them together with somebody else who asks for the same."""
        for number in numbers:
            await self.pace.turn()
            name = f"append-{number}"
            what = partial(events.AppendRequested, by="cem", groups=[group_of(name)])
            if number % TWICE == 0:
                await asyncio.gather(self.tell(name, what), self.tell(name, what))
                self.pace.answered += 1
            else:
                await self.ask(name, what)

    async def signal(self, numbers: Iterator[int]) -> None:
        """Append groups by signals, which nobody answers."""
        handle = self.client.client.get_workflow_handle(FLOW_ID)
        for number in numbers:
            await self.pace.turn()
            name = f"signal-{number}"
            event = events.AppendRequested(
                at_ms=0, by="dee", groups=[group_of(name)], request_id=name
            )
            await handle.signal(names.TELL, encode_event(event))
            self.signalled.add(name)
            self.pace.answered += 1

    async def ask(self, request_id: str, what: Callable[..., Request]) -> None:
        """Make a request that counts."""
        await self.tell(request_id, what)
        self.pace.answered += 1

    async def tell(self, request_id: str, what: Callable[..., Request]) -> None:
        """Make a request, and write down its verdict and how long that took."""
        begin_s = time.perf_counter()
        verdict = await self.client.tell(FLOW_ID, partial(what, request_id=request_id))
        self.took_ms.append((time.perf_counter() - begin_s) * 1000)
        self.verdicts[request_id].append(str(verdict))


def group_of(key: str) -> GroupSpec:
    """A group that waits for its share of requests."""
    return GroupSpec(key=key, steps=[StepSpec(key=f"{key}-step", work=WORK)])


def spec_of(size: Size) -> FlowSpec:
    """The flow: it continues as new after each group."""
    return FlowSpec(
        groups=[group_of(f"group-{number}") for number in range(size.groups)],
        options=FlowOptions(continue_as_new_every=1),
    )


# --- the trial ---


def trial(size: Size) -> Answered:
    """Make so many requests; raises LostError where one is lost, or answered otherwise."""
    with Temporal() as server:
        return asyncio.run(asked(server.url, size))


async def asked(server: str, size: Size) -> Answered:
    """Make so many requests of a flow on a server."""
    connection = await Client.connect(server)
    client = TemporalClient(connection, task_queue=QUEUE)
    pace = Pace(size)
    callers = Callers(client, pace)
    async with conductor_worker(connection, {WORK: pace.work}, task_queue=QUEUE):
        flow = await client.start(spec_of(size), flow_id=FLOW_ID)
        try:
            async with asyncio.timeout(PATIENCE_S + size.requests):
                await callers.ask_all()
                await flow.wait()
        except TimeoutError:
            raise LostError(f"it comes to no end: {pace}") from None
    return await checked(client, callers, size)


async def checked(client: TemporalClient, callers: Callers, size: Size) -> Answered:
    """See that the log says what callers were answered; raises LostError."""
    lines = await client.log(FLOW_ID)
    state = replay(lines, flow_id=FLOW_ID).state
    check_end(state, await client.look(FLOW_ID), size)
    log = [line for line in read_log(lines) if isinstance(line, Entry)]
    check_answers(callers, accepted_in(log))
    runs = [run async for run in client.histories(FLOW_ID)]
    return Answered(
        requests=len(callers.verdicts) + len(callers.signalled),
        signals=len(callers.signalled),
        doubled=sum(len(verdicts) > 1 for verdicts in callers.verdicts.values()),
        runs=len(runs),
        met=len(set(runs_met(log))),
        entries=len(log),
        median_ms=median(callers.took_ms),
        longest_ms=max(callers.took_ms),
    )


def check_end(state: FlowState, seen: FlowState, size: Size) -> None:
    """See that the flow ended with all the groups that were asked for."""
    attempts = list(state.attempts())
    if state != seen:
        raise LostError("the flow is not where its log leads")
    if state.status != "success" or len(attempts) != size.all_groups:
        raise LostError(f"the flow ended {state.status}, with {len(attempts)} attempts")


def check_answers(callers: Callers, logged: Counter[str]) -> None:
    """See that everything counted once, and that callers were told so."""
    expected = Counter({*callers.verdicts, *callers.signalled})
    if logged != expected:
        raise LostError(f"lost: {expected - logged}; too much: {logged - expected}")
    for request, verdicts in callers.verdicts.items():
        if sorted(verdicts) != [str(Accepted()), *[DUPLICATE] * (len(verdicts) - 1)]:
            raise LostError(f"{request} was answered {verdicts}")


def accepted_in(log: Iterable[Entry]) -> Counter[str]:
    """How often each request was accepted, by the log."""
    return Counter(
        entry.event.request_id or ""
        for entry in log
        if is_request(entry.event) and isinstance(entry.verdict, Accepted)
    )


def runs_met(log: Iterable[Entry]) -> Iterator[int]:
    """The run in which each request was accepted, counted from 0."""
    run = 0
    for entry in log:
        run += isinstance(entry.event, events.ContinuedAsNew)
        if is_request(entry.event):
            yield run


def main(arguments: Sequence[str]) -> int:
    """Print what became of the requests; 1 when one was lost, or answered otherwise."""
    parser = argparse.ArgumentParser(description="Ask one flow on Temporal many things at once.")
    parser.add_argument("--requests", type=int, default=FULL.requests)
    parser.add_argument("--groups", type=int, default=FULL.groups)
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    try:
        told = trial(Size(requests=options.requests, groups=options.groups))
    except LostError as error:
        print(error)
        return 1
    print(
        f"{told.requests} requests, {told.signals} of them signals and {told.doubled} made by two "
        f"at once, to one flow in {told.runs} runs, {told.met} of which met requests, with "
        f"{told.entries} entries, in {time.monotonic() - begin:.0f} s: each was answered as the "
        f"log says, within {told.median_ms:.0f} ms (median), {told.longest_ms:.0f} ms at most"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
