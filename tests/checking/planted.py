"""Bugs of one line, planted in the reducer while a test runs.

Rule: the line stands in the source exactly once and is replaced as text; the whole module is
compiled anew, and every function that came out different gets its new code. A function
keeps its identity, so that whoever imported it, under whatever name, runs the wrong line.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import reduce
from types import CodeType, FunctionType
from typing import Final

from attrs import frozen

from conductor_core import ApprovalSpec, FlowSpec, RetryPolicy, StepSpec
from conductor_core.checking import Alphabet
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.testing.brief import flow, group
from tests.checking.flows import DEPLOY, ONCE, plan

BRIEF: Final = Alphabet(endings=(OK, FAIL), pauses=False)
"""What every bug here needs to be seen."""


@frozen(kw_only=True)
class Bug:
    """A wrong line, a flow that shows it, the theorem that it breaks, and in how many events."""

    name: str
    module: str
    line: str
    instead: str
    spec: FlowSpec
    theorem: str
    events: int


QUORUM: Final = flow(group("g", plan(approval=ApprovalSpec(required=2)), "apply"))
RETRIED: Final = flow(group("g", StepSpec(key="a", retry=ONCE)))
UNTRIED: Final = flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_retries=0))))
NEEDY: Final = flow(
    group("g", plan()), group("h", StepSpec(key="apply", needs=["plan"]), parallel=True)
)
BUGS: Final = (
    Bug(
        name="a denied plan passes",
        module="rules.approvals",
        line='stop_group(draft, position, AttemptStatus.APPROVAL_DENIED, "denied")',
        instead='close(draft, position, AttemptStatus.APPROVAL_DENIED, "continue")',
        spec=DEPLOY,
        theorem="deny is final",
        events=3,
    ),
    Bug(
        name="one approval is enough",
        module="rules.approvals",
        line="elif len(attempt.approval.approvers) >= spec.required:",
        instead="elif len(attempt.approval.approvers) >= 1:",
        spec=QUORUM,
        theorem="the gate",
        events=3,
    ),
    Bug(
        name="one person approves twice",
        module="legality",
        line='if event.response == "approve" and event.by in attempt.approval.approvers:',
        instead='if event.response == "deny" and event.by in attempt.approval.approvers:',
        spec=QUORUM,
        theorem="the gate",
        events=4,
    ),
    Bug(
        name="any subject is accepted",
        module="legality",
        line="if event.subject is not None and event.subject != subject:",
        instead="if event.subject is not None and subject is None:",
        spec=DEPLOY,
        theorem="the gate",
        events=3,
    ),
    Bug(
        name="a group is passed while its plan waits",
        module="draft",
        line="return not (self.waiting or self.awaiting or self.parked)",
        instead="return not (self.waiting or self.parked)",
        spec=NEEDY,
        theorem="the gate",
        events=2,
    ),
    Bug(
        name="one retry too many",
        module="directives",
        line="n = (budget.generation if of_group else budget.retry) + 1",
        instead="n = (budget.generation if of_group else budget.retry)",
        spec=RETRIED,
        theorem="retries within budgets",
        events=4,
    ),
    Bug(
        name="a person retries without a budget",
        module="rerun",
        line="if attempt.retry + 1 <= budget:",
        instead="if attempt.retry <= budget:",
        spec=UNTRIED,
        theorem="retries within budgets",
        events=3,
    ),
    Bug(
        name="a cancel never ends",
        module="rules",
        line="return None if draft.active else finish_cancelled",
        instead="return finish_cancelled if draft.active else None",
        spec=DEPLOY,
        theorem="cancel always ends",
        events=1,
    ),
    Bug(
        name="a backoff has no timer",
        module="attempt",
        line="due_at_ms=backoff_due_at_ms,",
        instead="due_at_ms=None,",
        spec=RETRIED,
        theorem="no dead end",
        events=2,
    ),
    Bug(
        name="the end is told twice",
        module="rules.endings",
        line="draft.emit(FinishFlow(outcome=outcome, run=draft.run))",
        instead="draft.commands.extend([FinishFlow(outcome=outcome, run=draft.run)] * 2)",
        spec=RETRIED,
        theorem="exactly one finish",
        events=1,
    ),
)
REVIVED: Final = Bug(
    name="a cancelled flow is revived",
    module="rerun",
    line="if state.cancellation is not None:",
    instead="if state.is_cancelling:",
    spec=RETRIED,
    theorem="cancel is final",
    events=4,
)
"""The reductions rely on this line: it shows itself only to who forgets nothing."""


@contextmanager
def planted(bug: Bug) -> Generator[None, None, None]:
    """Let the reducer run with the bug."""
    functions = changed(bug)
    right = {function: function.__code__ for function in functions}
    for function, wrong in functions.items():
        function.__code__ = wrong
    try:
        yield
    finally:
        for function, code in right.items():
            function.__code__ = code


def changed(bug: Bug) -> dict[FunctionType, CodeType]:
    """The functions whose code the bug changes, each with its wrong code."""
    module = importlib.import_module(f"conductor_core.{bug.module}")
    source, path = inspect.getsource(module), str(module.__file__)
    assert source.count(bug.line) == 1, f"{path} holds {bug.line!r} {source.count(bug.line)} times"
    right = dict(functions_in(compile(source, path, "exec")))
    wrong = dict(functions_in(compile(source.replace(bug.line, bug.instead), path, "exec")))
    assert right.keys() == wrong.keys()
    found = {named(module, name): code for name, code in wrong.items() if code != right[name]}
    assert len(found) == 1, f"{bug.line!r} is not in one function"
    return found


def functions_in(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The functions of a module and of its classes, by qualified name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_OPTIMIZED:
                yield constant.co_qualname, constant
            else:
                yield from functions_in(constant)


def named(module: object, name: str) -> FunctionType:
    """The function of this qualified name, also where it stands behind a property."""
    found = reduce(getattr, name.split("."), module)
    function = found.fget if isinstance(found, property) else found
    assert isinstance(function, FunctionType), f"{name} is no function"
    return function
