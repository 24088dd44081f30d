"""`conductor approve`, `deny`, `skip-current`, `retry-plan`: answers to an open approval.

Rule: an answer is about a step that is named, or about the one that asks; where several ask,
nobody guesses which one is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import click

from conductor_adapters.cli.console import counted
from conductor_adapters.cli.operate.asking import Ask, Signed, asks_a_flow
from conductor_adapters.client import ClientFlow
from conductor_core.errors import ConductorError, shown
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

F = TypeVar("F", bound=Callable[..., object])

SHOWN: Final = 10
"""So many steps that ask are named."""

noted = click.option("--note", metavar="TEXT", help="A note that stands beside the answer.")


def about_a_step(command: F) -> F:
    """Give a command the argument STEP, which may be left out where one step asks."""
    return click.argument("step", required=False)(command)


@click.command()
@asks_a_flow
@about_a_step
@noted
@click.option("--subject", metavar="TEXT", help="What you approve; it must be what is asked about.")
def approve(step: str | None, note: str | None, subject: str | None, signed: Signed) -> Ask:
    """Approve what a step planned."""

    async def ask(flow: ClientFlow) -> Verdict:
        about = asking_step(flow.state, step, signed)
        return await flow.approve(about, note=note, subject=subject, **signed)

    return ask


@click.command()
@asks_a_flow
@about_a_step
@noted
def deny(step: str | None, note: str | None, signed: Signed) -> Ask:
    """Refuse what a step planned; the flow stops."""

    async def ask(flow: ClientFlow) -> Verdict:
        return await flow.deny(asking_step(flow.state, step, signed), note=note, **signed)

    return ask


@click.command()
@asks_a_flow
@about_a_step
@noted
@click.option(
    "--and-dependents", is_flag=True, help="Skip what follows in its group too, and stop."
)
def skip_current(step: str | None, note: str | None, and_dependents: bool, signed: Signed) -> Ask:
    """Go on without what a step planned."""

    async def ask(flow: ClientFlow) -> Verdict:
        skip = flow.skip_current_and_dependents if and_dependents else flow.skip_current
        return await skip(asking_step(flow.state, step, signed), note=note, **signed)

    return ask


@click.command()
@asks_a_flow
@about_a_step
@noted
def retry_plan(step: str | None, note: str | None, signed: Signed) -> Ask:
    """Have a step plan again, and ask again."""

    async def ask(flow: ClientFlow) -> Verdict:
        return await flow.retry_plan(asking_step(flow.state, step, signed), note=note, **signed)

    return ask


def asking_step(state: FlowState, step: str | None, signed: Signed) -> str:
    """The step that was named, or the one that asks; raises ConductorError for none or several.

    Who names an attempt, as `plan#2`, means that one and no later one.
    """
    if step is not None:
        return _step_of(state, step)
    if signed["request_id"] is not None:
        raise ConductorError(
            "--request-id: name the step, so that what is sent again asks for the same"
        )
    asking = [attempt.step for attempt in state.open_approvals()]
    if len(asking) == 1:
        return asking[0]
    flow = f"flow {shown(state.flow_id)}"
    if not asking:
        raise ConductorError(f"{flow} asks for no approval, it is {state.status}")
    more = " and more" if len(asking) > SHOWN else ""
    raise ConductorError(
        f"{flow} asks for {counted(len(asking), 'approval')}, so name the step: "
        f"{', '.join(asking[:SHOWN])}{more}"
    )


def _step_of(state: FlowState, named: str) -> str:
    """The step that is named by its key, or by the attempt that asks."""
    attempt = state.attempt(named)
    if attempt is None:
        return named
    if not attempt.awaiting:
        raise ConductorError(f"{named} asks for no approval, it is {attempt.status}")
    return attempt.step
