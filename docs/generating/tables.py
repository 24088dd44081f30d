"""The tables of the running reducer: directives, verdicts, statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from conductor_core import (
    ApprovalSpec,
    Directive,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    initial_state,
    reduce,
)
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.codec import TAGS
from conductor_core.directives import FIXED_MESSAGES
from conductor_core.events import FlowStarted, StepFinished, WorkOutcome
from conductor_core.legality import TABLE, Phase
from docs.generating.markdown import citing, code, page, table
from docs.generating.transitions import KINDS, Seen

_ONCE: Final = RetryPolicy(max_auto_retries=1)
_DECLARED: Final = (
    ("plain", StepSpec(key="s"), FlowOptions()),
    ("with an approval", StepSpec(key="s", approval=ApprovalSpec()), FlowOptions()),
    ("`max_auto_retries: 1`", StepSpec(key="s", retry=_ONCE), FlowOptions()),
    ("`skip_on_failure`", StepSpec(key="s", skip_on_failure=True), FlowOptions()),
    ("`on_failure: await-retry`", StepSpec(key="s"), FlowOptions(on_failure="await-retry")),
)
_PHASES: Final = {
    Phase.PENDING: "before the start",
    Phase.LIVE: "live",
    Phase.CANCELLING: "cancelling",
    Phase.ENDED: "ended in success or error",
    Phase.CANCELLED: "cancelled",
}


def tables_page(seen: Mapping[str, Seen]) -> str:
    """What the reducer decides by table, and where statuses lead."""
    return page(
        "Tables and state diagrams",
        "All of it is read from the reducer itself, or found by running it; the rules that are "
        "cited stand in [semantics](../semantics.md).",
        "## Directives",
        citing(
            "What comes of the end of an attempt's work (S6): the directive of the attempt and, "
            "in brackets, its status. Rows: how the work ended, and the directive that it asked "
            "for. Columns: how the step is declared."
        ),
        table(["work", *(name for name, _, _ in _DECLARED)], _directives()),
        "## Verdicts",
        citing(
            "What becomes of an event in each phase of a flow, as far as the phase alone decides "
            "(S4). Where a cell is empty, the rule of the event looks closer."
        ),
        table(["event", *_PHASES.values()], _verdicts()),
        "These are all reasons for which an event is ignored, or a request is rejected:",
        table(
            ["verdict", "words"],
            [["ignored", _codes("Ignored")], ["rejected", _codes("Rejected")]],
        ),
        "## Statuses",
        "Of an attempt. *Active* is what a worker has; *unfinished* what may still change by "
        "itself, or waits for people; an error that awaits a retry is unfinished, too (S3).",
        table(["status", "active", "unfinished"], _statuses()),
        "## State diagrams",
        "Found by a search of small flows within bounds: solid arrows are what the host reports, "
        "dashed ones what people ask. The tables have every arrow with the events that were seen "
        "to lead along it; `(none)` is before there was one.",
        *(part for kind in KINDS for part in _diagram(kind, seen[kind])),
        "## Fixed messages",
        citing("What people are told of an end that is no failure of work (S7.4):"),
        table(["reason", "message"], [[code(why), text] for why, text in FIXED_MESSAGES.items()]),
    )


def _directives() -> Iterator[list[str]]:
    for outcome in get_args(WorkOutcome):
        # What asks for something as it is cancelled is not asked.
        for asked in (None, *Directive, "anything else") if outcome != "cancelled" else (None,):
            told = outcome if asked is None else f"{outcome}, asks for {code(asked)}"
            yield [told, *(_ended(step, options, outcome, asked) for _, step, options in _DECLARED)]


def _ended(step: StepSpec, options: FlowOptions, outcome: WorkOutcome, asked: str | None) -> str:
    """What the reducer makes of the end of a step's work."""
    spec = FlowSpec(options=options, groups=[GroupSpec(key="g", steps=[step])])
    started = reduce(initial_state(spec, flow_id="f"), FlowStarted(at_ms=0)).state
    ended = StepFinished(at_ms=1, attempt="s#1", outcome=outcome, directive=asked)
    attempt = reduce(started, ended).state.attempt("s#1")
    assert attempt is not None, "the attempt is there"
    return f"{code(attempt.directive)} ({attempt.status})"


def _verdicts() -> Iterator[list[str]]:
    for kind, by_phase in TABLE.items():
        cells = [str(by_phase[phase]) if phase in by_phase else "" for phase in Phase]
        yield [
            f"[{TAGS[kind]}](events.md#{TAGS[kind]})",
            *(code(cell) if cell else "" for cell in cells),
        ]


def _codes(verdict: str) -> str:
    """All words of a verdict, as the modules that judge write them."""
    folder = Path(__file__).parents[2] / "conductor_core"
    found: set[str] = set()
    for module in ("legality.py", "rerun.py"):
        text = (folder / module).read_text(encoding="utf-8")
        found.update(re.findall(rf'{verdict}\(\s*"([a-z-]+)"', text))
    return ", ".join(code(word) for word in sorted(found))


def _statuses() -> Iterator[list[str]]:
    for status in AttemptStatus:
        attempt = Attempt(step="s", n=1, status=status)
        yield [
            code(status),
            *("yes" if is_so else "" for is_so in (attempt.active, attempt.unfinished)),
        ]


def _diagram(kind: str, seen: Seen) -> Iterator[str]:
    yield f"### {kind.capitalize()}"
    article = "an" if kind == "attempt" else "a"
    # Followed, it is as large as the window.
    yield f"[![The statuses of {article} {kind}]({kind}-status.svg)]({kind}-status.svg)"
    yield table(
        ["from", "to", "by"],
        [[code(old), code(new), ", ".join(sorted(causes))] for (old, new), causes in seen.items()],
    )
