"""The reducer: `(state, event) -> (new state, commands)`, pure, total and deterministic.

Theory of operation
-------------------
One event is handled in three steps, one after the other.

1. *Judge.* `legality` answers with a verdict. An event that is ignored or rejected changes
   nothing and commands nothing: the very same state object comes back (S4.1). Everything
   that could be wrong with an event is found here, before anything changes (S10.9).
2. *Record.* One small function in `facts` writes down what happened, and is told what the judge
   found out about it. It decides nothing: that work ended is recorded as it was reported,
   an approval as it was given, a rerun as it was laid out.
3. *Settle.* The rules in `rules` ask "what now?" of the state: first of the news that was just
   recorded, then in a fixed order until none of them applies. Only they create commands.

Success, failure, skip, approval, denial, rerun, resume and continue-as-new all end in the
same question and so in the same rules; none of them knows how a step is dispatched.

When two rules apply, the first that `next_rule` asks about fires and the search begins anew,
so that the order of its questions is the precedence of the rules. Every rule that creates a
command also moves the state so that it cannot fire a second time for the same reason; a
settled state is a fixed point, and settling it again changes nothing. The search is bounded
by the size of the flow and asserts its bound.

The state is opened once, as a draft that facts and rules change in place, and the draft
itself becomes the next state. What the state before it held is never touched: whatever is
not changed is shared, and whatever is changed is replaced.

What replay relies on
---------------------
Nothing here reads a clock, draws a random number, does I/O or depends on the order of a hash:
times come from events, waits from digests of names (S2.2), order from the order of the flow.
The state is frozen and canonical, so that the same events give the same bytes (S1.6).

What is deliberately absent
---------------------------
No handler knows its host. There is no queue, no lock, no retry of a command: a host
carries commands out at least once, and what it says twice is ignored (S4.3).
"""

from __future__ import annotations

from typing import Final

from conductor_core.building import builder
from conductor_core.commands import Command
from conductor_core.draft import Draft
from conductor_core.events import Event
from conductor_core.facts import record
from conductor_core.facts.work import UNNOTICED
from conductor_core.frozen import frozen
from conductor_core.legality import ACCEPTED, examine
from conductor_core.rules import settle
from conductor_core.state import FlowState
from conductor_core.verdicts import Ignored, Rejected, Verdict


@frozen
class Transition:
    """What became of an event: the state that follows, what the host must do, the verdict."""

    state: FlowState
    commands: tuple[Command, ...]
    verdict: Verdict


def reduce(state: FlowState, event: Event) -> Transition:
    """Apply one event; never raises for what a host or a person may send."""
    found = examine(state, event)
    if type(found) is Ignored or type(found) is Rejected:
        return _transition(state, (), found)
    draft = Draft.of(state, event.at_ms)
    news = record(draft, event, found)
    if news is not UNNOTICED:
        settle(draft, news)
    commands = tuple(draft.commands)
    return _transition(draft.seal(), commands, ACCEPTED)


_transition: Final = builder(Transition)
