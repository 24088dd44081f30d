"""What the keys of a scenario file mean, in the words that editors and `docs/formats.md` show.

Rule: one sentence for each key that may be given; the keys themselves stand in the readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FILE: Final[Mapping[str, str]] = {
    "format": "the format of the file and its version",
    "scenarios": "the scenarios, at least one",
}

SCENARIO: Final[Mapping[str, str]] = {
    "name": "what it shows; unique in the file",
    "spec": "the rules it shows, as free text",
    "flow": "the flow, written as in a flow file",
    "flow_id": "the id of the flow: `[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}`",
    "work": "what the work of each step returns",
    "generate": "how `generate-steps` is answered; when it is left out, generation stays open",
    "ignores_cancel": "steps whose held attempts do not end when they are cancelled",
    "hold_continue_as_new": "whether a `continue-as-new` command is left unanswered",
    "do": "the actions, one after another",
    "expect": "what must be true in the end",
}

ENTRY: Final = (
    "what one attempt returns: `ok`, `fail`, `cancelled` (from outside the flow), `hold` (until "
    "a `finish` action), or the fields of step-finished"
)
SCRIPT: Final = "one result for each dispatch of the step; the last one repeats"

RESULT: Final[Mapping[str, str]] = {
    "attempt": "the attempt that ends: `plan#1`",
    "outcome": "`succeeded`, `failed` or `cancelled`",
    "directive": "what the worker asks for (S6): a word",
    "output": "any value; steps that need this one are given it",
    "error": "`{message, type, non_retryable, terminal, retry_after_ms, details, cause}`, or some "
    "of it",
    "noop": "whether there was anything to change: `true`, `false` or `unknown`",
    "policy": "`{deny_violations, warn_violations, passed_policy_ids, evaluated}`",
    "subject": "what an approval is about: a text such as a digest",
    "metadata": "any mapping",
}

GENERATE: Final[Mapping[str, str]] = {
    "partial": "groups; more will come by `generated` actions",
    "fail": "generation fails with this message",
}

ACTION: Final[Mapping[str, str]] = {
    "approve": "a person approves what a step did; a step key, or `{step, by, note, subject}`",
    "deny": "a person denies it, and the flow stops; written alike",
    "skip-current": "a person skips the step, with the rest of its group unless `skip_scope` is "
    "`step`; written alike",
    "skip-current-and-dependents": "a person skips the step and the rest of its group, and the "
    "flow stops; written alike",
    "retry-plan": "a person has the step done again; written alike",
    "respond": "any answer, known or not: `{step, response, by, note, subject}`",
    "retry": "a failed step is retried: a step key or an attempt id",
    "skip": "a failed step is skipped: a step key or an attempt id",
    "rerun": "a failed step is retried or skipped, with every field: `{step, operation, "
    "stale_plan, replan_step, additional_skip, continue_from_idx, flow_id, by}`; only `step` is "
    "required, `operation` is `retry-step` or `skip-step` (S10)",
    "retry-group": "a group is retried as a whole: its key",
    "retry-now": "the backoff of a step is cut short: its key",
    "pause": "nothing new starts until the flow is resumed: `{}`, or `{by}`",
    "resume": "a paused flow goes on: `{}`, or `{by}`",
    "cancel": "the flow is cancelled: `{}`, `{group}` or `{step}`, with `reason` and `by`",
    "approval-option": "`prompt` or `approve-all` from now on",
    "append": "a list of groups is added at the end",
    "start": "`yes` sends flow-started (again); `no`, only as the first action, keeps the flow "
    "from starting; `true` and `false` will do",
    "generated": "groups are delivered: a list, or `{groups, complete}`",
    "generation-failed": "generation failed: a message",
    "finish": "an attempt ends: `{attempt, ...}` with the fields of a result",
    "started": "a worker says that it began: an attempt id",
    "timer": "a timer fires, whether or not it is due: its id",
    "advance": "so many milliseconds pass; each timer that falls due fires, earliest first (ties "
    "by id), and the world plays after each; 0 fires what is due now",
    "continue-as-new": "`suggest` or `continued`, or `{fact, incarnation}` for another "
    "incarnation than the state's",
    "snapshot": "`{}`: the state is written and read, and the copy goes on",
}

BESIDE_ACTION: Final[Mapping[str, str]] = {
    "expect": "the verdict: `accepted` unless it is given, `{rejected: code}` or "
    "`{ignored: reason}`",
    "check": "expectations that must be true when all is quiet again",
}

FIELD: Final[Mapping[str, str]] = {
    "step": "a step key, or an attempt id where a step is rerun",
    "group": "the key of a group",
    "by": "who asks",
    "note": "a word to go with the answer",
    "subject": "what was approved; must be what was asked about",
    "response": "`approve`, `deny`, `skip-current`, `skip-current-and-dependents` or `retry`",
    "operation": "`retry-step` or `skip-step`",
    "stale_plan": "whether the plan is too old to apply",
    "replan_step": "the step that plans again",
    "additional_skip": "more steps to skip",
    "continue_from_idx": "the index of the group to go on from",
    "flow_id": "the flow that is meant; this one, when it is left out",
    "reason": "why",
    "groups": "the groups that are delivered",
    "complete": "whether no more groups follow",
    "fact": "`suggest` or `continued`",
    "incarnation": "the incarnation that the fact is for",
    "rejected": "the code of the rejection",
    "ignored": "why the event changes nothing",
}
"""The fields of actions and verdicts that are written as mappings."""

TOPIC: Final[Mapping[str, str]] = {
    "flow": "the status of the flow (S3)",
    "reason": "the reason of its outcome; `null` for none",
    "message": "the message of its outcome; `null` for none",
    "step": "the attempt that its outcome names, or `null`",
    "retries_exhausted": "of its outcome: `true` or `false`",
    "steps": "the status of each named attempt: `{plan#1: success}`",
    "directives": "the directive of each named attempt, or `null`",
    "groups": "the status of each named group",
    "dispatched": "all attempts that were dispatched, in order",
    "attempts": "how many attempts each named step has, superseded ones and one that is still "
    "pending included",
    "timers": "the ids of all open timers, in any order",
    "approvals": "all attempts with an open approval, in any order",
    "commands": "how often each named type of command was given so far",
    "absent": "attempts that must not exist",
    "inputs": "the outputs that the dispatch of an attempt carried: `{apply#1: {plan: 3}}`; only "
    "the named steps are compared",
}
