"""What the exit codes of each command mean.

Rule: every command has a line for each of its codes; tests run a command for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BAD: Final = "a file or an option cannot be used"
_DIVERGES: Final = "the log diverges: its events lead elsewhere than it says"
_INTERRUPTED: Final = "Ctrl-C ended it"

_MADE: Final = {0: "it was done", 2: _BAD}
_OF_A_LOG: Final = {0: "it was told, drawn or written", 1: _DIVERGES, 2: _BAD}
_OF_A_STORE: Final = {0: "it was done", 2: "the store, a file or an option cannot be used"}
_OF_A_FLOW: Final = {0: "it was told", 2: "the store, the flow or an option cannot be used"}
_ASKED: Final = {
    0: "accepted, or ignored",
    1: "rejected",
    2: "the store, the flow or an option cannot be used; nothing was asked of the flow",
    130: "Ctrl-C; whether the request counts is told when it is sent again with its `--request-id`",
}
_SERVED: Final = {0: "it was told to end", 2: "it could not begin"}

EXITS: Final[Mapping[str, Mapping[int, str]]] = {
    "append": _ASKED,
    "approval-option": _ASKED,
    "approve": _ASKED,
    "backup": _OF_A_STORE,
    "cancel": _ASKED,
    "celery relay": _SERVED,
    "check": {
        0: "all that was checked holds within the bounds",
        1: "something is violated, was never met, or is undecided because a bound was reached",
        2: _BAD,
        130: f"{_INTERRUPTED}, and nothing was violated until then",
    },
    "completion": _MADE,
    "deny": _ASKED,
    "diff": {
        0: "nothing differs",
        1: "something does, or a search that was cut off could not tell",
        2: f"{_BAD}: a log that diverges, or a log and a flow file",
        130: f"{_INTERRUPTED}, and nothing was found to differ",
    },
    "explain": _OF_A_LOG,
    "export": _OF_A_LOG,
    "graph": _OF_A_LOG,
    "html": _OF_A_LOG,
    "import": _OF_A_STORE,
    "init": _MADE,
    "list": _OF_A_STORE,
    "log": _OF_A_FLOW,
    "pause": _ASKED,
    "replay": {
        0: "every entry verifies, and behaves the same",
        1: "an entry diverges, or a log differs from what it is held against",
        2: _BAD,
        130: _INTERRUPTED,
    },
    "rerun": _ASKED,
    "resume": _ASKED,
    "retry": _ASKED,
    "retry-group": _ASKED,
    "retry-now": _ASKED,
    "retry-plan": _ASKED,
    "run": {
        0: "the flow succeeded",
        1: "it failed, was cancelled, was stopped, or could not go on",
        2: "it never began: the file, an option or the log cannot be used",
        3: "it waits for a person, and nobody is there to ask",
    },
    "scenario run": {
        0: "every scenario passed",
        1: "a scenario failed",
        2: "a file cannot be used, or `-k` selects nothing",
    },
    "schema": _MADE,
    "shrink": {
        0: "it was shrunk, and all files are written",
        1: "the log does not show the behaviour, or diverges; or no scenario tells what is left",
        2: _BAD,
        130: f"{_INTERRUPTED}: what is left may get smaller",
    },
    "skip": _ASKED,
    "skip-current": _ASKED,
    "start": {0: "the flow is in the store", 2: "it is not: something cannot be used"},
    "status": {
        0: "the flow runs, or succeeded",
        1: "it ended in an error, or was cancelled",
        2: _OF_A_FLOW[2],
        3: "it waits for a person",
    },
    "temporal worker": _SERVED,
    "ui": _SERVED,
    "vacuum": _OF_A_STORE,
    "wait": {
        0: "the flow succeeded",
        1: "it ended in an error or was cancelled, or `--timeout` ran out",
        2: _OF_A_FLOW[2],
        3: "it waits for a person",
        130: f"{_INTERRUPTED}; the flow hears nothing of it",
    },
    "watch": {
        0: "the flow succeeded",
        1: "it ended in an error, or was cancelled",
        2: _OF_A_FLOW[2],
        130: f"{_INTERRUPTED}; the flow hears nothing of it",
    },
    "what-if": {
        0: "the branch was played to its end",
        1: _DIVERGES,
        2: _BAD,
        3: "nobody knows how it goes on, or it waits for a person",
    },
    "worker": {
        0: "it was told to end, or nothing goes on (`--until-idle`)",
        1: "it could not go on, or work waits that it does not know (`--until-idle`)",
        2: "the store, the handlers or an option cannot be used",
        3: "flows wait for people (`--until-idle`)",
    },
}
"""The name of a command, and what its codes mean."""
