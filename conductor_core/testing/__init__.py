"""What users of the core test their flows with.

Rule: importing this package imports nothing beyond the core; what needs more, such as
Hypothesis, is imported by the module that needs it.
"""

from conductor_core.testing.given import Given, When, given

__all__ = ["Given", "When", "given"]
