"""The brain of flows with approvals, retries, reruns and logs, and nothing else.

A pure, total, deterministic reducer `(flow state, event) -> (new state, commands)`; adapters
carry its commands out.
"""

from conductor_core import commands, errors, events, verdicts
from conductor_core.attempt import (
    DENY_VIOLATIONS_KEY,
    DIRECTIVE_KEY,
    PASSED_POLICY_IDS_KEY,
    WARN_VIOLATIONS_KEY,
    AttemptStatus,
)
from conductor_core.directives import Directive
from conductor_core.explain import Explanation, explain
from conductor_core.recovery import interrupted_attempts, overdue_timers, pending_commands
from conductor_core.reducer import Transition, reduce
from conductor_core.spec import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.state import FlowState, initial_state
from conductor_core.version import VERSION as __version__

__all__ = [
    "DENY_VIOLATIONS_KEY",
    "DIRECTIVE_KEY",
    "PASSED_POLICY_IDS_KEY",
    "WARN_VIOLATIONS_KEY",
    "ApprovalSpec",
    "AttemptStatus",
    "Directive",
    "Explanation",
    "FlowOptions",
    "FlowSpec",
    "FlowState",
    "GroupSpec",
    "RetryPolicy",
    "StepSpec",
    "Transition",
    "__version__",
    "commands",
    "errors",
    "events",
    "explain",
    "initial_state",
    "interrupted_attempts",
    "overdue_timers",
    "pending_commands",
    "reduce",
    "verdicts",
]
