"""What users of the core test their flows with.

Rule: importing this package imports nothing beyond the core; what needs more, such as
Hypothesis, is imported by the module that needs it.
"""

from conductor_core.testing.conditions import Condition, Step, after, before, flow_is, step
from conductor_core.testing.flow_assertions import BrokenClaim, FlowClaims, assert_flow
from conductor_core.testing.given import Given, When, given

__all__ = [
    "BrokenClaim",
    "Condition",
    "FlowClaims",
    "Given",
    "Step",
    "When",
    "after",
    "assert_flow",
    "before",
    "flow_is",
    "given",
    "step",
]
