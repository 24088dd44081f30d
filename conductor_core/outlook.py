"""What is ahead of a step, as far as its spec says, before anything has happened to it.

Rule: this is what the rules come to where work asks for no directive of its own and says
nothing about its failure; the rules themselves are elsewhere, and tests hold this to them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from conductor_core.frozen import frozen
from conductor_core.spec import FlowOptions, GroupSpec, StepSpec

End: TypeAlias = Literal["continue", "await-retry", "stop"]


@frozen(kw_only=True)
class Failing:
    """What the failures of a step lead to, one after another (S6.14 to S6.19).

    First it gets so many `retries`, with its whole group if `of_group`; then the directive
    `end` follows, and people may retry it as often as are `left`.
    """

    retries: int
    of_group: bool
    end: End
    left: int

    @property
    def is_usual(self) -> bool:
        """Whether it is no more than what `on_failure` says of every step of the flow."""
        return not self.retries and self.left > 0 and self.end != "continue"


def failing(step: StepSpec, group: GroupSpec, options: FlowOptions) -> Failing:
    """Say what failures of a step lead to."""
    of_group = step.retry.scope == "group"
    # A group may be retried as often as each of its steps.
    steps = group.steps if of_group else (step,)
    most = min(each.retry.max_retries for each in steps)
    retries = min(step.retry.max_auto_retries, most)
    left = most - retries if step.retryable else 0
    return Failing(retries=retries, of_group=of_group, end=_end(step, options, left), left=left)


def _end(step: StepSpec, options: FlowOptions, left: int) -> End:
    """What follows when no retry of its own is left."""
    if step.skip_on_failure:
        return "continue"
    # Who may not be retried any more is not waited for.
    return "await-retry" if options.on_failure == "await-retry" and left else "stop"


def skips_its_group(step: StepSpec) -> bool:
    """Whether who skips its open approval skips what follows in its group too (S8.9)."""
    return step.approval_spec.skip_scope == "group"
