"""A short run as a test for pytest: the flow, its events, and what becomes of each of them.

Rule: the test needs nothing but conductor-core; it is made of literals that Python reads back as
the same data, and is evaluated by nobody but pytest.
"""

from __future__ import annotations

import re
from pprint import pformat
from typing import Any, Final

from conductor_adapters.debugger.shrink import Run
from conductor_core.codec import TAGS, encode_event, encode_spec
from conductor_core.log import Played

WIDTH: Final = 88
TEMPLATE: Final = '''\
"""What a log was shrunk to that still shows a behaviour; written by `conductor shrink`."""

from conductor_core import initial_state, reduce
from conductor_core.codec import TAGS, decode_event, decode_spec

BEHAVIOUR = {behaviour}
FLOW_ID = {flow_id}
FLOW = {flow}
# Every event, what the reducer says to it, and the commands that it gives.
STORY = {story}
STATUS = {status}
OUTCOME = {outcome}
ATTEMPTS = {attempts}


def test_{name}():
    """Every event becomes what it became, and leads to the same end."""
    state = initial_state(decode_spec(FLOW), FLOW_ID)
    for event, verdict, commands in STORY:
        transition = reduce(state, decode_event(event))
        assert str(transition.verdict) == verdict, event
        assert [TAGS[type(command)] for command in transition.commands] == commands, event
        state = transition.state
    assert state.status == STATUS
    outcome = state.outcome
    assert (outcome and (outcome.reason, outcome.step, outcome.retries_exhausted)) == OUTCOME
    assert {{attempt.id: attempt.status.value for attempt in state.attempts()}} == ATTEMPTS
'''


def pytest_of(run: Run, behaviour: str) -> str:
    """The text of a file with one test, which passes."""
    state = run.states[-1]
    outcome = state.outcome
    return TEMPLATE.format(
        behaviour=_literal(behaviour),
        flow_id=_literal(state.flow_id),
        flow=_literal(encode_spec(run.case.spec)),
        story=_literal([_told(entry) for entry in run.entries]),
        status=_literal(state.status),
        outcome=_literal(outcome and (outcome.reason, outcome.step, outcome.retries_exhausted)),
        attempts=_literal({it.id: it.status.value for it in state.attempts()}),
        name=re.sub(r"[^a-z0-9]+", "_", state.flow_id.lower()).strip("_"),
    )


def _told(entry: Played) -> tuple[dict[str, Any], str, list[str]]:
    transition = entry.transition
    commands = [TAGS[command.__class__] for command in transition.commands]
    return encode_event(entry.event), str(transition.verdict), commands


def _literal(value: object) -> str:
    """Plain data as Python writes it, ASCII alone."""
    text = pformat(value, width=WIDTH, sort_dicts=False)
    return text.encode("ascii", "backslashreplace").decode("ascii")
