"""What a flow is when nothing goes wrong: steps in order, together, or left out."""

from __future__ import annotations

from typing import Final

from conductor_core.spec import ApprovalSpec, StepSpec
from conductor_core.testing.brief import answered, flow, group, succeeded
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.cases.parts import PLAN, needing, script

IN_ORDER: Final = (
    Case(
        name="one-after-another",
        about="Steps run in their order, and get their input, outputs, and what was approved.",
        flow=flow(
            group(
                "prepare",
                StepSpec(key="plan", work="make-plan", input={"of": "db"}, approval=ApprovalSpec()),
            ),
            group("do", needing("apply", "plan"), needing("check", "apply", "plan")),
        ),
        work=(script("plan", PLAN), script("apply", succeeded("", output=["x", 1, None]))),
        acts=(answered("plan"),),
    ),
    Case(
        name="together",
        about="A parallel group runs two at a time, and the next step gets all outputs.",
        flow=flow(
            group("all", "a", "b", "c", "d", "e", parallel=True, max_parallel=2),
            group("then", needing("join", "a", "b", "c", "d", "e")),
        ),
        work=tuple(script(key, succeeded("", output=key)) for key in "abcde"),
    ),
    Case(
        name="nothing-to-do",
        about="A skipped step is not run, and one without work to do skips its group.",
        flow=flow(
            group("g", StepSpec(key="off", skipped=True), StepSpec(key="a", skip_if_noop=True)),
            group("h", StepSpec(key="b", skip_if_noop=True), "never"),
            group("i", "last"),
        ),
        work=(script("b", succeeded("", noop=True)),),
    ),
)
