"""What a flow asks of its host beyond work: groups, and a fresh history."""

from __future__ import annotations

from typing import Final

from conductor_core.events import (
    AppendRequested,
    ContinueAsNewSuggested,
    GenerationFailed,
    GroupsGenerated,
    StepError,
)
from conductor_core.spec import FlowOptions, FlowSpec, StepSpec
from conductor_core.testing.answer_format import OK
from conductor_core.testing.brief import flow, group, succeeded
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.cases.parts import (
    FAILS,
    FEW_MS,
    HELD,
    needing,
    retries,
    script,
)

GENERATED: Final = FlowSpec(type="generated", metadata={"inputs": {"env": "prod"}})

OF_THE_HOST: Final = (
    Case(
        name="generated",
        about="The host makes the groups of a flow that has none.",
        flow=GENERATED,
        generate=GroupsGenerated(
            at_ms=0, groups=[group("g", "a", "b", parallel=True), group("h", needing("c", "b"))]
        ),
        work=(script("b", succeeded("", output="b")),),
    ),
    Case(
        name="generated-in-parts",
        about="What is generated runs while more is generated and appended.",
        flow=GENERATED,
        acts=(
            GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False),
            AppendRequested(at_ms=0, by="ann", groups=[group("i", "c")]),
            GroupsGenerated(at_ms=0, groups=[group("h", "b")]),
        ),
    ),
    Case(
        name="generation-fails",
        about="A flow whose groups cannot be made ends.",
        flow=GENERATED,
        generate=GenerationFailed(at_ms=0, error=StepError(message="no idea", type="Stuck")),
        ends="error",
    ),
    Case(
        name="continue-as-new",
        about="The host goes on in a fresh history after each group.",
        flow=flow(
            group("g", "a"),
            group("h", StepSpec(key="b", retry=retries(1, FEW_MS))),
            group("i", needing("c", "a")),
            options=FlowOptions(continue_as_new_every=1),
        ),
        work=(script("a", succeeded("", output="a")), script("b", FAILS, OK)),
    ),
    Case(
        name="long-history",
        about="The host suggests a fresh history, which begins once the work has ended.",
        flow=flow(group("g", "a", "b")),
        work=(script("a", HELD),),
        acts=(ContinueAsNewSuggested(at_ms=0, incarnation=0), succeeded("a#1")),
    ),
)
