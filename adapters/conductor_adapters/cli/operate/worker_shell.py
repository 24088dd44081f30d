"""The handler of the work `shell` in a worker: commands of many flows, beside other workers.

Rule: before a command begins, everything has ended that workers which are gone left running of
its flow; and no two processes of this machine work on one attempt, whatever became of a lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

from conductor_adapters.cli.operate.attempt_claims import Claim, Claims
from conductor_adapters.leftovers import end_leftovers
from conductor_adapters.shell import Shell
from conductor_adapters.shell_launch import most_at_once
from conductor_adapters.work import HostFailure, StepContext, StepResult
from conductor_core.errors import ConductorError

POLL_S: Final = 0.05

Show: TypeAlias = Callable[[str, str, str], None]
"""Is handed the flow, the attempt, and what its command prints; "" when that has ended."""

_logger = logging.getLogger(__name__)


class WorkerShell:
    """Runs the commands of steps; `show` is handed what they print, as it comes."""

    def __init__(self, claims: Claims, show: Show) -> None:
        self._claims = claims
        self._show = show
        self._room = asyncio.Semaphore(most_at_once())
        self._told: set[str] = set()

    async def __call__(self, context: StepContext) -> StepResult:
        """Run the command of a step, once nobody else works on its attempt."""
        async with self._room:
            claim = await self._claimed(context)
            try:
                await _end(claim)
                await self._end_others(context)
                return await self._worked(context, claim)
            finally:
                claim.release()

    async def _claimed(self, context: StepContext) -> Claim:
        """Wait for the claim: its last holder may be stopped, or about to hear of its end."""
        waits = False
        while True:
            with _told(context.attempt):
                claim = self._claims.claim(context.flow_id, context.attempt)
            if claim is not None:
                return claim
            if not waits:
                _logger.warning(
                    "%s of flow %s waits: another process of this machine still works on it",
                    *(context.attempt, context.flow_id),
                )
            waits = True
            await asyncio.sleep(POLL_S)

    async def _end_others(self, context: StepContext) -> None:
        """End what is left of other attempts of the flow."""
        with _told(context.attempt):
            for claim in self._claims.left(context.flow_id):
                try:
                    await _end(claim)
                finally:
                    claim.release()

    async def _worked(self, context: StepContext, claim: Claim) -> StepResult:
        flow_id = context.flow_id

        def show(attempt: str, text: str) -> None:
            self._show(flow_id, attempt, text)

        try:
            return await Shell(show=show, files=claim.files)(context)
        finally:
            self._show(flow_id, context.attempt, "")

    async def sweep(self) -> None:
        """End what workers that are gone left running, of whichever flow; tell what cannot be."""
        told = set[str]()
        try:
            with _told("what is left of attempts"):
                for claim in self._claims.left():
                    try:
                        await _end(claim)
                    except HostFailure as error:
                        told.add(str(error))
                    finally:
                        claim.release()
        except HostFailure as error:
            told.add(str(error))
        for problem in sorted(told - self._told):
            _logger.warning("%s", problem)
        self._told = told


@contextmanager
def _told(about: str) -> Generator[None]:
    """Tell what the system reports as a failure of this host."""
    try:
        yield
    except OSError as error:
        raise HostFailure(f"{about}: {error.filename}: {error.strerror}") from None


async def _end(claim: Claim) -> None:
    """End what is left of an attempt that is claimed; raises HostFailure where that fails."""
    try:
        ended = await end_leftovers(claim.files)
    except ConductorError as error:
        raise HostFailure(f"{claim.name}: {error}") from None
    for attempt in ended:
        _logger.warning("%s of flow %s still ran and was ended", attempt, claim.outputs.name)
