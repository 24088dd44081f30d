"""`conductor what-if`: what would have become of a flow, had something else happened.

Rule: nothing is carried out; the log stays as it is. Exit code 0 when the branch was played to
its end, 3 when it stops because nobody knows how it goes on, or waits for a person; 1 when the log
diverges, 2 when the log or an event cannot be used.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from conductor_adapters.cli.console import escaped, say, say_json
from conductor_adapters.cli.new_files import check_new, with_replace, write_new
from conductor_adapters.cli.recordings import read_recording
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.cli.what_if_report import branch_as_data, told_branch
from conductor_adapters.debugger.happening import Assume, Question
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.what_if import Branch, branch_of, check_fork, default_ms
from conductor_core.codec import EVENTS, decode_event
from conductor_core.errors import ConductorError, FormatError, LogError, shown
from conductor_core.events import OUTCOMES, Event
from conductor_core.explain import RESPONSES, waits_for_people
from conductor_core.json_text import loads

NOBODY_KNOWS: Final = "stop"
"""What somebody who is asked types to leave a question open."""


@click.command()
@click.argument("log", metavar="LOG|FLOW_ID", type=click.Path())
@click.option(
    "--at",
    type=click.IntRange(min=0),
    required=True,
    metavar="SEQ",
    help="The entry after which things go differently; 0 is before the first.",
)
@click.option(
    "--event",
    "texts",
    multiple=True,
    required=True,
    metavar="JSON",
    help="What happens there, as an entry of a log has it; at_ms may be left out. May be repeated.",
)
@click.option("--instead", is_flag=True, help="It takes the place of the entry behind SEQ.")
@click.option(
    "--assume-work",
    type=click.Choice(OUTCOMES),
    help="How work ends of which the log does not know.",
)
@click.option(
    "--assume-approval",
    type=click.Choice(RESPONSES),
    help="What people answer to approvals of which the log does not know.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the branch as a log.",
)
@with_replace
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.pass_context
def what_if(
    ctx: click.Context,
    log: str,
    at: int,
    texts: tuple[str, ...],
    instead: bool,
    assume_work: str | None,
    assume_approval: str | None,
    output: Path | None,
    replace: bool,
    sources: Sources,
    as_json: bool,
) -> None:
    """Fork LOG after entry SEQ, let other events happen there, and tell what differs in the end.

    Work and people answer as they were recorded. What the log does not know is assumed by an
    option, asked for on a terminal, or else where the branch ends. Nothing is carried out.
    """
    check_new("-o", output, sources.file(log), replace=replace)
    recording = read_recording(sources, log)
    try:
        check_fork(recording, at, instead=instead)
    except LogError as error:
        raise ConductorError(f"--at: {error}") from None
    given = _events(texts, default_ms(recording, at, instead=instead))
    assume = _assuming({"work": assume_work, "approval": assume_approval})
    branch = branch_of(recording, at, given, assume, instead=instead)
    if output is not None:
        write_new("-o", output, branch.log(), replace=replace)
    _tell(branch, recording, as_json)
    ctx.exit(3 if branch.unknown or waits_for_people(branch.state) else 0)


def _tell(branch: Branch, recording: Recording, as_json: bool) -> None:
    if as_json:
        say_json({"file": recording.name, **branch_as_data(branch)})
        return
    for line in told_branch(branch):
        say(line)


# --- what is given ---


def _events(texts: tuple[str, ...], at_ms: int) -> list[Event]:
    return [_event(f"--event {number}", text, at_ms) for number, text in enumerate(texts, 1)]


def _event(option: str, text: str, at_ms: int) -> Event:
    """The event of a text; it happens at a time where it does not say so."""
    try:
        data = loads(text)
        if isinstance(data, dict) and "type" not in data:
            known = ", ".join(EVENTS)
            raise FormatError("type", f"missing, expected one of {known}")
        return decode_event({"at_ms": at_ms, **data} if isinstance(data, dict) else data)
    except FormatError as error:
        raise ConductorError(f"{option}: {error} (in {shown(text)})") from None


# --- what is assumed ---


def _assuming(answers: Mapping[str, str | None]) -> Assume:
    """Answer by the options, else ask where there is a terminal."""
    asks = _asks()

    def assume(question: Question) -> str | None:
        answer = answers.get(question.kind)
        return _asked(question) if answer is None and asks else answer

    return assume


def _asks() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _asked(question: Question) -> str | None:
    """Ask whoever sits at the terminal."""
    if question.kind == "groups":
        return None
    choices = OUTCOMES if question.kind == "work" else RESPONSES
    what = "how does its work end" if question.kind == "work" else "what do people answer"
    answer: Any = click.prompt(
        escaped(f"the log does not know of {question.of}: {what}"),
        type=click.Choice((*choices, NOBODY_KNOWS)),
        default=choices[0],
        err=True,
    )
    return None if answer == NOBODY_KNOWS else str(answer)
