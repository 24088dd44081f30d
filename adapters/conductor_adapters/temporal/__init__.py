"""Runs flows on a Temporal cluster, which keeps them, fires their timers and delivers their work.

Theory of operation
-------------------
One generic workflow (`workflow`) runs every flow: its id is the flow's, its input the flow, and all
it does is to reduce what comes in and to carry out what that commands. An attempt is an activity of
the type of its work, under the id of the attempt; a timer is a timer; a request is an update, which
the reducer judges before anything is written; a continue-as-new hands the packed state on.

*The history is the journal.* What is accepted stands in it before its commands leave, and nothing
else is kept. The log of a flow is made again from it, by Temporal's own Replayer (`history`).

*Times come along.* A worker says when work ended, a timer when it was due. Workflow time is not
the same in every replay of a task that led to nothing, and neither is the order in which the SDK
hands updates over; `runner` says what is done about it.

*Failures are the reducer's.* Temporal tries nothing again that a worker has answered. It delivers
again what a worker took and died with, but never what must not run twice unseen (S14.3).

*The end of a flow is the end of its workflow.* A request that revives it starts another run with
what the last one left.

Rule: nothing here decides what a flow does next.
"""

from importlib.util import find_spec

if find_spec("temporalio") is None:
    raise ModuleNotFoundError(
        "flows on Temporal need the temporal extra: pip install 'conductor-core[temporal]'",
        name="temporalio",
    )

from conductor_adapters.temporal.client import TemporalClient
from conductor_adapters.temporal.errors import NoAnswer, NotReady, NotRunning, TemporalError
from conductor_adapters.temporal.flow import TemporalFlow
from conductor_adapters.temporal.options import Options, Settings
from conductor_adapters.temporal.packing import TooLarge
from conductor_adapters.temporal.runner import Listener, Sink
from conductor_adapters.temporal.worker import conductor_replayer, conductor_worker

__all__ = [
    "Listener",
    "NoAnswer",
    "NotReady",
    "NotRunning",
    "Options",
    "Settings",
    "Sink",
    "TemporalClient",
    "TemporalError",
    "TemporalFlow",
    "TooLarge",
    "conductor_replayer",
    "conductor_worker",
]
