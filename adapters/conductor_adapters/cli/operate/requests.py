"""`conductor retry`, `skip`, `rerun`, `retry-now`, `cancel`, `pause`, and all that is no answer.

Rule: each is one verb of `FlowHandle` with the options that it has there.
"""

from __future__ import annotations

import click

from conductor_adapters.cli.operate.asking import Ask, Signed, asks_a_flow
from conductor_core.rerun import OPERATIONS

# --- steps that failed ---


@click.command()
@asks_a_flow
@click.argument("step")
def retry(step: str, signed: Signed) -> Ask:
    """Retry a step that failed, named by its key or by an attempt."""
    return lambda flow: flow.retry(step, **signed)


@click.command()
@asks_a_flow
@click.argument("step")
def skip(step: str, signed: Signed) -> Ask:
    """Skip a step that failed, and go on."""
    return lambda flow: flow.skip(step, **signed)


@click.command()
@asks_a_flow
@click.argument("step")
@click.option(
    "--operation",
    type=click.Choice(OPERATIONS),
    default="retry-step",
    show_default=True,
    help="Whether to retry the step or to skip it.",
)
@click.option("--stale-plan", is_flag=True, help="Its plan is out of date: plan again first.")
@click.option("--replan-step", metavar="STEP", help="The step whose plan is out of date.")
@click.option("--skip", "skips", multiple=True, metavar="STEP", help="Skip this step as well.")
def rerun(
    step: str,
    operation: str,
    stale_plan: bool,
    replan_step: str | None,
    skips: tuple[str, ...],
    signed: Signed,
) -> Ask:
    """Retry or skip a step that failed, with all that can be said about that."""
    return lambda flow: flow.rerun(
        step,
        operation=operation,
        stale_plan=stale_plan,
        replan_step=replan_step,
        additional_skip=skips,
        **signed,
    )


@click.command()
@asks_a_flow
@click.argument("group")
def retry_group(group: str, signed: Signed) -> Ask:
    """Retry a group that failed, as a whole."""
    return lambda flow: flow.retry_group(group, **signed)


@click.command()
@asks_a_flow
@click.argument("step")
def retry_now(step: str, signed: Signed) -> Ask:
    """Retry a step now, without the rest of its wait."""
    return lambda flow: flow.retry_now(step, **signed)


# --- the flow ---


@click.command()
@asks_a_flow
@click.option(
    "--step", metavar="STEP", help="Name the step because of which the flow is cancelled."
)
@click.option("--group", metavar="GROUP", help="Name the group because of which it is.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the log.")
def cancel(step: str | None, group: str | None, reason: str | None, signed: Signed) -> Ask:
    """Cancel a flow, for good."""
    if step is not None and group is not None:
        raise click.UsageError("--step does not go together with --group.")
    return lambda flow: flow.cancel(step=step, group=group, reason=reason, **signed)


@click.command()
@asks_a_flow
def pause(signed: Signed) -> Ask:
    """Hold a flow: what runs goes on, nothing new starts."""
    return lambda flow: flow.pause(**signed)


@click.command()
@asks_a_flow
def resume(signed: Signed) -> Ask:
    """Let a paused flow go on."""
    return lambda flow: flow.resume(**signed)


@click.command()
@asks_a_flow
@click.argument("option", metavar="OPTION", type=click.Choice(("prompt", "approve-all")))
def approval_option(option: str, signed: Signed) -> Ask:
    """Have people asked from now on (prompt), or take every plan as approved (approve-all)."""
    return lambda flow: flow.set_approval_option(option, **signed)
