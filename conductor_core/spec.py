"""What a flow is: declared once, validated when the FlowSpec is built (S2.1).

Rule: the parts (GroupSpec, StepSpec, ...) only hold their fields, so that an event with
bad groups exists and gets its verdict from the same validator.
Durations are integer milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cache, partial
from typing import Final, TypeAlias

from attrs import field

from conductor_core.errors import SpecError, shown
from conductor_core.frozen import frozen
from conductor_core.payload import EMPTY, Payload, freeze

__all__ = ["ApprovalSpec", "FlowOptions", "FlowSpec", "GroupSpec", "RetryPolicy", "StepSpec"]

LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MOST: Final = (1 << 53) - 1
"""The largest integer that every reader of JSON holds, and far from the end of all times."""
FLOW_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")

Problem: TypeAlias = tuple[str, str]


def integers(items: Iterable[int]) -> tuple[int, ...]:
    """Freeze a row of integers."""
    return tuple(items)


def texts(items: Iterable[str]) -> tuple[str, ...]:
    """Freeze a row of texts."""
    return tuple(items)


def _names(items: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)


def _steps(items: Iterable[StepSpec]) -> tuple[StepSpec, ...]:
    return tuple(items)


def groups_of(items: Iterable[GroupSpec]) -> tuple[GroupSpec, ...]:
    """Freeze a row of groups."""
    return tuple(items)


@frozen(kw_only=True)
class RetryPolicy:
    """How often and after what wait failed work is tried again (S2.2, S6.14-S6.16)."""

    max_retries: int = 10
    max_auto_retries: int = 0
    scope: str = "step"
    backoff_ms: tuple[int, ...] = field(default=(30_000, 120_000, 300_000), converter=integers)
    jitter: bool = True


@frozen(kw_only=True)
class ApprovalSpec:
    """Who must approve the work of a step before the flow goes on (section 8)."""

    required: int = 1
    approvers: tuple[str, ...] | None = field(default=None, converter=_names)
    timeout_ms: int | None = None
    stale_after_ms: int | None = None
    auto_approve_on_policy_pass: bool = False
    skip_scope: str = "group"


DEFAULT_RETRY: Final = RetryPolicy()
DEFAULT_APPROVAL: Final = ApprovalSpec()


@frozen(kw_only=True)
class StepSpec:
    """One step; `work` names its handler, `needs` the steps whose outputs it gets.

    `retryable` and `skippable` say whether a person may retry or skip it.
    """

    key: str
    work: str | None = None
    input: Payload = field(default=EMPTY, converter=freeze)
    approval: ApprovalSpec | None = None
    retry: RetryPolicy = DEFAULT_RETRY
    retryable: bool = True
    skippable: bool = True
    skip_on_failure: bool = False
    skip_if_noop: bool = False
    skipped: bool = False
    timeout_ms: int | None = None
    needs: tuple[str, ...] = field(default=(), converter=texts)
    on_recovery: str = "redispatch"
    name: str | None = None
    metadata: Payload = field(default=EMPTY, converter=freeze)

    @property
    def handler(self) -> str:
        """The name of the work: `work`, or the key where none is given."""
        return self.key if self.work is None else self.work

    @property
    def approval_spec(self) -> ApprovalSpec:
        """Its approval, or the default one where only a worker asks for it (S6.7)."""
        return DEFAULT_APPROVAL if self.approval is None else self.approval


@frozen(kw_only=True)
class GroupSpec:
    """Steps that run one after another, or together when `parallel`."""

    key: str
    steps: tuple[StepSpec, ...] = field(default=(), converter=_steps)
    parallel: bool = False
    max_parallel: int | None = None
    fail_fast: bool = False
    name: str | None = None
    metadata: Payload = field(default=EMPTY, converter=freeze)


@frozen(kw_only=True)
class FlowOptions:
    """Choices that hold for the whole flow."""

    approval: str = "prompt"
    on_failure: str = "stop"
    continue_as_new_every: int | None = None
    max_parallel: int | None = None
    cancel_grace_ms: int = 30_000


@frozen(kw_only=True)
class FlowSpec:
    """A flow: groups that run in order; none at all means that they are generated.

    Raises SpecError, listing every problem with its path.
    """

    type: str = "flow"
    groups: tuple[GroupSpec, ...] = field(default=(), converter=groups_of)
    options: FlowOptions = FlowOptions()
    metadata: Payload = field(default=EMPTY, converter=freeze)

    def __attrs_post_init__(self) -> None:
        problems = [*_option_problems(self.options), *group_problems(self.groups)]
        problems = [*_name_problems("type", self.type), *problems]
        problems += _object_problems("metadata", self.metadata)
        if problems:
            raise SpecError(tuple(problems))


def flow_id_problems(flow_id: object) -> list[Problem]:
    """Say what is wrong with a flow id (S2.1)."""
    if isinstance(flow_id, str) and FLOW_ID.fullmatch(flow_id):
        return []
    return [("flow_id", f"{shown(flow_id)} does not match {FLOW_ID.pattern}")]


def _option_problems(options: FlowOptions) -> Iterator[Problem]:
    yield from _choice("options.approval", options.approval, "prompt", "approve-all")
    yield from _choice("options.on_failure", options.on_failure, "stop", "await-retry")
    every = "options.continue_as_new_every"
    yield from _at_least(1, every, options.continue_as_new_every, optional=True)
    yield from _at_least(1, "options.max_parallel", options.max_parallel, optional=True)
    yield from _at_least(0, "options.cancel_grace_ms", options.cancel_grace_ms)


def group_problems(
    groups: tuple[GroupSpec, ...],
    known: Container[str] = (),
    *,
    path: str = "groups",
) -> list[Problem]:
    """Say what is wrong with groups that come after the `known` steps (S2.1)."""
    problems: list[Problem] = []
    group_keys: dict[str, int] = {}
    placed: dict[str, int] = {}
    every = cache(partial(_keys_of, groups))
    for index, group in enumerate(groups):
        place = f"{path}[{index}]"
        problems += _key_problems(f"{place}.key", group.key, group_keys, index)
        problems += _at_least(1, f"{place}.max_parallel", group.max_parallel, optional=True)
        problems += _display_problems(place, group)
        if not group.steps:
            problems.append((f"{place}.steps", "expected at least one step"))
        last = index if group.parallel else index + 1
        for number, step in enumerate(group.steps):
            where = f"{place}.steps[{number}]"
            if step.needs:
                missing = [
                    need
                    for need in step.needs
                    if need not in known and placed.get(need, last) >= last
                ]
                problems += _needs_problems(f"{where}.needs", step, missing, every)
            problems += _key_problems(f"{where}.key", step.key, placed, index)
            problems += _step_problems(where, step)
    return problems


def _key_problems(path: str, key: object, taken: dict[str, int], index: int) -> Iterator[Problem]:
    """Check one key and remember the group it stands in."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        yield path, f"{shown(key)} does not match {KEY.pattern}"
    elif key in taken:
        yield path, f"{shown(key)} is used twice"
    else:
        taken[key] = index


def _keys_of(groups: tuple[GroupSpec, ...]) -> frozenset[str]:
    """The keys of all steps, of which only some may be keys."""
    keys = (step.key for group in groups for step in group.steps)
    return frozenset(key for key in keys if isinstance(key, str))


def _needs_problems(
    path: str, step: StepSpec, missing: list[str], every: Callable[[], Container[str]]
) -> Iterator[Problem]:
    for need in missing:
        why = "there is no such step"
        if need in every():
            why = "it is this one" if need == step.key else "it runs later, or beside this one"
        yield path, f"{shown(need)} is no step that runs earlier: {why}"
    if len(set(step.needs)) != len(step.needs):
        yield path, f"names a step twice: {shown(list(step.needs))}"


def _name_problems(path: str, name: object) -> Iterator[Problem]:
    if not isinstance(name, str) or not name or not is_text(name):
        yield path, f"expected a name, got {shown(name)}"


def is_text(text: str) -> bool:
    """Whether a string is one that can be written: without lone surrogates (S1.5)."""
    return text.isascii() or LONE_SURROGATE.search(text) is None


def _display_problems(path: str, part: GroupSpec | StepSpec) -> Iterator[Problem]:
    if part.name is not None:
        yield from _name_problems(f"{path}.name", part.name)
    if not part.metadata.is_object:
        yield from _object_problems(f"{path}.metadata", part.metadata)


def _object_problems(path: str, payload: Payload) -> Iterator[Problem]:
    if not payload.is_object:
        yield path, f"expected a mapping, got {shown(payload.value)}"


def _step_problems(path: str, step: StepSpec) -> Iterator[Problem]:
    if step.work is not None:
        yield from _name_problems(f"{path}.work", step.work)
    yield from _display_problems(path, step)
    if step.timeout_ms is not None:
        yield from _at_least(0, f"{path}.timeout_ms", step.timeout_ms)
    yield from _choice(f"{path}.on_recovery", step.on_recovery, "redispatch", "fail")
    if step.retry is not DEFAULT_RETRY:
        yield from _retry_problems(f"{path}.retry", step.retry)
    if step.approval is not None:
        yield from _approval_problems(f"{path}.approval", step.approval)


def _retry_problems(path: str, retry: RetryPolicy) -> Iterator[Problem]:
    yield from _at_least(0, f"{path}.max_retries", retry.max_retries)
    yield from _at_least(0, f"{path}.max_auto_retries", retry.max_auto_retries)
    yield from _choice(f"{path}.scope", retry.scope, "step", "group")
    for index, wait in enumerate(retry.backoff_ms):
        yield from _at_least(0, f"{path}.backoff_ms[{index}]", wait)


def _approval_problems(path: str, approval: ApprovalSpec) -> Iterator[Problem]:
    yield from _at_least(0, f"{path}.timeout_ms", approval.timeout_ms, optional=True)
    yield from _at_least(0, f"{path}.stale_after_ms", approval.stale_after_ms, optional=True)
    yield from _choice(f"{path}.skip_scope", approval.skip_scope, "group", "step")
    required = list(_at_least(1, f"{path}.required", approval.required))
    yield from required
    if approval.approvers is None:
        return
    for index, name in enumerate(approval.approvers):
        yield from _name_problems(f"{path}.approvers[{index}]", name)
    distinct = len(set(approval.approvers))
    if distinct != len(approval.approvers):
        yield f"{path}.approvers", f"names a person twice: {shown(list(approval.approvers))}"
    if not required and approval.required > distinct:
        yield f"{path}.required", f"{shown(approval.required)} is more than {distinct} approvers"


def _choice(path: str, value: str, *choices: str) -> Iterator[Problem]:
    if value not in choices:
        yield path, f"expected one of {', '.join(choices)}, got {shown(value)}"


def _at_least(least: int, path: str, value: object, *, optional: bool = False) -> Iterator[Problem]:
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        yield path, f"expected an integer of at least {least}, got {shown(value)}"
    elif value > MOST:
        yield path, f"expected an integer of at most {MOST}, got {shown(value)}"
