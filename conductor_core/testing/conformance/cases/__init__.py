"""The cases that every host is tested with.

Rule: together they ask everything of a host that a flow can; each is as small as it can be.
Waits are of some tens of milliseconds, or so long that they never end by themselves.
"""

from __future__ import annotations

from typing import Final

from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.cases.answers import ANSWERS
from conductor_core.testing.conformance.cases.approvals import APPROVALS
from conductor_core.testing.conformance.cases.failures import FAILURES
from conductor_core.testing.conformance.cases.host import OF_THE_HOST
from conductor_core.testing.conformance.cases.order import IN_ORDER
from conductor_core.testing.conformance.cases.people import PEOPLE

_CASES: Final = (*IN_ORDER, *FAILURES, *ANSWERS, *APPROVALS, *PEOPLE, *OF_THE_HOST)


def cases(*, generates: bool = True) -> tuple[Case, ...]:
    """Every case; without those that generate groups if the host cannot."""
    return tuple(case for case in _CASES if generates or not case.generates)
