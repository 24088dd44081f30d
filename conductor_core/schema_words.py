"""What the keys of a flow file mean, in the words that editors and `docs/formats.md` show.

Rule: one sentence for each field of a declaration, and for each key that only a flow file
knows; what a record as a whole is for stands in its docstring. Errors and policy reports are
told here too, for the formats in which they are written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conductor_core.spec import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)

WORDS: Final[Mapping[type[Any], Mapping[str, str]]] = {
    FlowSpec: {
        "type": "the type of the flow: a name for its kind",
        "groups": "the groups, in order; none at all means that they are generated when the "
        "flow starts (S12)",
        "options": "choices for the whole flow",
        "metadata": "any mapping, for handlers and for whoever reads the log; its `inputs` are "
        "what `conductor run --set` fills",
    },
    FlowOptions: {
        "approval": "`prompt` asks people; `approve-all` takes every plan as approved (S8.3)",
        "on_failure": "`stop` ends the flow when a step fails; `await-retry` waits for a person "
        "(S6)",
        "continue_as_new_every": "continue as new after so many groups, at least 1 (S13)",
        "max_parallel": "how many steps run at a time, for groups that have none of their own",
        "cancel_grace_ms": "how long a cancelled flow waits for active work (S9)",
    },
    GroupSpec: {
        "key": "its name, unique among groups",
        "steps": "its steps, at least one",
        "parallel": "whether its steps run together",
        "max_parallel": "how many at a time, at least 1 (S5.3)",
        "fail_fast": "whether a stop cancels the steps that still run",
        "name": "a title for people",
        "metadata": "any mapping",
    },
    StepSpec: {
        "key": "its name, unique in the flow",
        "work": "the name of its handler; the step's key, when it is left out",
        "input": "what the handler is given: any value",
        "approval": "who must approve its work before the flow goes on; `true` for an approval "
        "with its defaults",
        "retry": "how often failed work is tried again",
        "needs": "steps that run earlier, whose outputs it is given (S2.3)",
        "timeout_ms": "fail it after so long, counted from its dispatch (S5.7)",
        "retryable": "whether a person may retry it",
        "skippable": "whether a person may skip it",
        "skip_on_failure": "whether the flow goes on when it fails (S6)",
        "skip_if_noop": "whether work that changes nothing is skipped (S6)",
        "skipped": "whether it is skipped when its turn comes (S5.4)",
        "on_recovery": "after a crash of the host: `redispatch` runs it again, `fail` does not "
        "(S14.3)",
        "name": "a title for people",
        "metadata": "any mapping",
    },
    RetryPolicy: {
        "max_retries": "at most so many, automatic and manual together",
        "max_auto_retries": "at most so many without asking anybody",
        "scope": "`step` retries the step, `group` its whole group",
        "backoff_ms": "the wait before each automatic retry; the last one repeats, `[]` is no wait",
        "jitter": "whether waits are spread between a half and the whole",
    },
    ApprovalSpec: {
        "required": "how many different people must approve",
        "approvers": "who may answer; everybody, when it is left out",
        "timeout_ms": "the flow stops when nobody answers in time",
        "stale_after_ms": "an approval that comes later plans the step again",
        "auto_approve_on_policy_pass": "whether a plan that its policy passes is taken as "
        "approved (S8.2)",
        "skip_scope": "what a person skips with the step: the rest of its `group`, or the "
        "`step` alone",
    },
}
"""The meaning of every field of a spec."""

SHELL_WORDS: Final[Mapping[str, str]] = {
    "run": "a command line; short for `work: shell` and `input: {run: ...}`, and stands in "
    "place of both",
    "cwd": "the folder in which `run` is run; becomes part of the input with it",
    "env": "variables for `run`, likewise; a value is a text, or `{from_env: NAME}` for what the "
    "variable NAME holds where the step runs",
}
"""The meaning of the keys that a flow file takes for a shell."""

ERROR: Final[Mapping[str, str]] = {
    "message": "what went wrong, for people if `non_retryable` is true",
    "type": "the kind of the error: a word",
    "non_retryable": "whether automatic retries are pointless",
    "terminal": "whether there may be no retry of any kind",
    "retry_after_ms": "wait at least so long before the next retry",
    "details": "any value",
    "cause": "the error that led to this one",
}

POLICY: Final[Mapping[str, str]] = {
    "deny_violations": "what the policies deny",
    "warn_violations": "what the policies warn of",
    "passed_policy_ids": "the policies that passed",
    "evaluated": "`false` when the policies could not be evaluated",
}
