"""A second, deliberately naive reading of the rules in semantics.md.

The model is the other half of a differential test: it is written from the text of the rules
alone, shares no code with the reducer, and prefers the obvious over the fast. One mutable object
holds everything, every question is answered by looking at all the attempts, and each rule is
cited where it is applied.

An event is handled in two steps. Its handler refuses it (by raising `Refused`, before it changes
anything) or writes down what happened; then `_settle` asks "what now?" until nothing more follows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
DIRECTIVES = {
    "continue",
    "stop",
    "await-approval",
    "skip-group",
    "retry",
    "retry-group",
    "await-retry",
}
ACTIVE = {"queued", "in-progress"}
UNFINISHED = {"pending", "waiting-to-retry", "approval-awaiting"} | ACTIVE
REQUESTS = {
    "approval-responded",
    "approval-option-changed",
    "cancel-requested",
    "rerun-requested",
    "group-retry-requested",
    "retry-now-requested",
    "pause-requested",
    "resume-requested",
    "append-requested",
}

RETRY_DEFAULTS: Json = {
    "max_retries": 10,
    "max_auto_retries": 0,
    "scope": "step",
    "backoff_ms": [30000, 120000, 300000],
    "jitter": True,
}
APPROVAL_DEFAULTS: Json = {
    "required": 1,
    "approvers": None,
    "timeout_ms": None,
    "stale_after_ms": None,
    "auto_approve_on_policy_pass": False,
    "skip_scope": "group",
}
STEP_DEFAULTS: Json = {
    "input": {},
    "approval": None,
    "retry": {},
    "retryable": True,
    "skippable": True,
    "skip_on_failure": False,
    "skip_if_noop": False,
    "skipped": False,
    "timeout_ms": None,
    "needs": [],
    "on_recovery": "redispatch",
    "name": None,
    "metadata": {},
}
GROUP_DEFAULTS: Json = {
    "parallel": False,
    "max_parallel": None,
    "fail_fast": False,
    "name": None,
    "metadata": {},
}
OPTION_DEFAULTS: Json = {
    "approval": "prompt",
    "on_failure": "stop",
    "continue_as_new_every": None,
    "max_parallel": None,
    "cancel_grace_ms": 30000,
}

FIXED_MESSAGES = {
    "denied": "Approval denied",
    "approval-expired": "Approval expired",
    "stale-plan": "Plan is stale and its retries are exhausted",
    "skipped-dependents": "Skipped with its dependents",
    "policy-denied": "Denied by policy",
    "cancelled-externally": "Cancelled outside the flow",
    "unknown-directive": "Unknown directive",
    "stopped-by-step": "Stopped by the step",
    "generation-failed": "Step generation failed",
    "no-steps": "No steps were generated",
}
"""S7.4: the messages of reasons that are no failure of work."""


class Refused(Exception):
    """The verdict of an event that changes nothing (S4.1)."""


def rejected(code: str) -> Refused:
    """A request that may not be (S4.2)."""
    return Refused(f"rejected({code})")


def ignored(reason: str) -> Refused:
    """An event that says nothing new (S4.3)."""
    return Refused(f"ignored({reason})")


def canonical(value: Any) -> str:
    """S1.5: the canonical text of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def with_defaults(defaults: Json, given: Json | None) -> Json:
    """The record with what is missing filled in (section 2)."""
    return {**defaults, **(given or {})}


def listed(records: list[Json] | None) -> list[Json]:
    """The records of a list that may be left out."""
    return records or []


def whole_step(step: Json) -> Json:
    """A StepSpec with every default of section 2."""
    full = with_defaults(STEP_DEFAULTS, step)
    if full.get("work") is None:
        full["work"] = full["key"]
    full["retry"] = with_defaults(RETRY_DEFAULTS, full["retry"])
    if full["approval"] is not None:
        full["approval"] = with_defaults(APPROVAL_DEFAULTS, full["approval"])
    full["needs"] = list(full["needs"])
    return full


def whole_group(group: Json) -> Json:
    """A GroupSpec with every default of section 2."""
    full = with_defaults(GROUP_DEFAULTS, group)
    full["steps"] = [whole_step(step) for step in listed(full.get("steps"))]
    return full


def negative(value: Any) -> bool:
    """Whether a number is given and below 0."""
    return value is not None and value < 0


def bad_approval(approval: Json) -> bool:
    """S2.1, for an ApprovalSpec."""
    approvers = approval["approvers"]
    return (
        approval["required"] < 1
        or (approvers is not None and len(set(approvers)) != len(approvers))
        or (approvers is not None and approval["required"] > len(set(approvers)))
        or negative(approval["timeout_ms"])
        or negative(approval["stale_after_ms"])
        or approval["skip_scope"] not in ("group", "step")
    )


def bad_step(step: Json, earlier: set[str]) -> bool:
    """S2.1, for a StepSpec whose `needs` may name the steps that run earlier (S2.3)."""
    retry = step["retry"]
    return (
        KEY.fullmatch(step["key"]) is None
        or negative(step["timeout_ms"])
        or negative(retry["max_retries"])
        or negative(retry["max_auto_retries"])
        or any(negative(wait) for wait in retry["backoff_ms"])
        or retry["scope"] not in ("step", "group")
        or step["on_recovery"] not in ("redispatch", "fail")
        or step["work"] == ""
        or any(need not in earlier for need in step["needs"])
        or len(set(step["needs"])) != len(step["needs"])
        or (step["approval"] is not None and bad_approval(step["approval"]))
    )


def bad_groups(new: list[Json], known: list[Group]) -> bool:
    """S2.1 and S1.1, for groups that are to follow the known ones."""
    group_keys = {group.key for group in known}
    step_keys = {key for group in known for key in group.steps}
    for group in new:
        if KEY.fullmatch(group["key"]) is None or group["key"] in group_keys or not group["steps"]:
            return True
        group_keys.add(group["key"])
        if group["max_parallel"] is not None and group["max_parallel"] < 1:
            return True
        earlier = set(step_keys)
        for step in group["steps"]:
            if step["key"] in step_keys or bad_step(step, earlier):
                return True
            step_keys.add(step["key"])
            if not group["parallel"]:
                earlier.add(step["key"])
    return False


class Attempt:
    """One execution of a step (S1.2)."""

    def __init__(self, group: Group, step: Json, n: int, generation: int, retry: int) -> None:
        self.group = group
        self.step = step
        self.id = f"{step['key']}#{n}"
        self.n = n
        self.generation = generation
        self.retry = retry
        self.status = "pending"
        self.directive: str | None = None
        self.reason: str | None = None
        self.output: Any = None
        self.error: Json = {}
        self.subject: Any = None
        self.policy_denied = False
        self.held = False  # S8.1: no automatic approval of any kind
        self.approval: Json = {}  # the ApprovalSpec that was asked for
        self.requested_at = 0
        self.approved_by: list[Any] = []
        self.approved = False
        self.dispatched = False
        self.cancel_asked = False
        self.swept = False  # by a stop, so that a rerun takes it back (S10.5)
        self.overtaken = False  # discarded while a retry-group waits: a stop sweeps it (S7.2)

    @property
    def active(self) -> bool:
        """Section 3: queued or in-progress."""
        return self.status in ACTIVE

    @property
    def awaits_retry(self) -> bool:
        """Section 3: parked for a retry."""
        return self.status == "error" and self.directive == "await-retry"

    @property
    def parked(self) -> bool:
        """Section 3: it waits for a person."""
        return self.awaits_retry or self.status == "approval-awaiting"

    @property
    def unfinished(self) -> bool:
        """Section 3: not finished, or parked."""
        return self.status in UNFINISHED or self.awaits_retry

    @property
    def is_failure(self) -> bool:
        """S10.1: a failure that holds the flow up."""
        return (
            (self.status == "error" and self.directive in ("await-retry", "stop"))
            or self.status in ("approval-denied", "approval-expired")
            or (self.status == "cancelled" and self.reason == "cancelled-externally")
        )

    @property
    def plan_was_refused(self) -> bool:
        """S10.4: nobody approved its plan."""
        return (
            self.status in ("approval-denied", "approval-expired")
            or (self.status == "error" and self.reason == "stale-plan")
            or (self.status == "error" and self.policy_denied)
        )

    @property
    def terminal(self) -> bool:
        """S6.19a: the error itself allows no retry of any kind."""
        return bool(self.error.get("terminal"))


class Group:
    """A group and all the attempts of its steps, oldest first."""

    def __init__(self, spec: Json) -> None:
        self.spec = spec
        self.key: str = spec["key"]
        self.steps: dict[str, list[Attempt]] = {}
        for step in spec["steps"]:
            self.steps[step["key"]] = [Attempt(self, step, 1, 0, 0)]
        self.passed = False  # it finished with continue or skip-group
        self.stopped = False  # a stop was decided in it
        self.retry_deciders: list[Attempt] = []  # S7.2: they wait until no sibling is active
        self.backoff = False  # it waits out the backoff of a group
        self.generation_swept = False

    @property
    def live(self) -> list[Attempt]:
        """S1.2: the live attempts, in order."""
        return [attempts[-1] for attempts in self.steps.values()]

    @property
    def active(self) -> list[Attempt]:
        """The attempts that are at work."""
        return [attempt for attempt in self.live if attempt.active]

    @property
    def generation(self) -> int:
        """S6.14: the highest generation of its live attempts."""
        return max(attempt.generation for attempt in self.live)

    @property
    def budget(self) -> int:
        """S6.14: the smallest max_retries among its steps."""
        return min(int(step["retry"]["max_retries"]) for step in self.spec["steps"])

    @property
    def timer(self) -> str:
        """The id of its backoff timer (section 7)."""
        return f"backoff:{self.key}@{self.generation}"

    def after(self, attempt: Attempt) -> list[Attempt]:
        """The live attempts of the steps after this one."""
        keys = list(self.steps)
        return [self.steps[key][-1] for key in keys[keys.index(attempt.step["key"]) + 1 :]]

    def started_in_generation(self, attempt: Attempt) -> bool:
        """S7.2: whether the step was dispatched in the generation of this attempt."""
        of_step = self.steps[attempt.step["key"]]
        return any(other.dispatched and other.generation == attempt.generation for other in of_step)


class Model:
    """A flow, its rules applied as they are written."""

    def __init__(self, spec: Json, flow_id: str) -> None:
        self.flow_id = flow_id
        self.flow_type: str = spec.get("type", "flow")
        self.metadata: Json = spec.get("metadata") or {}
        self.options = with_defaults(OPTION_DEFAULTS, spec.get("options"))
        self.approval_option: str = self.options["approval"]
        self.groups = [Group(whole_group(group)) for group in listed(spec.get("groups"))]
        self.declared_groups = bool(self.groups)
        self.started = False
        self.generation = (
            "none"  # none, running, complete, failed, abandoned (the flow ended while it ran)
        )
        self.paused = False
        self.cancelling = False
        self.cancel_message: str | None = None
        self.stop: Json | None = None  # the outcome as the first stop decided it (S7.4)
        self.outcome: Json | None = None
        self.finished_at_ms: int | None = None
        self.run = 1
        self.incarnation = 0
        self.suggested = False
        self.continuing = False
        self.groups_since_continue = 0
        self.timers: dict[str, int] = {}
        self.request_ids: list[str] = []
        self.now = 0
        self.commands: list[Json] = []

    # --- the two public questions ---

    def send(self, event: Json) -> tuple[str, list[Json]]:
        """Apply an event; its verdict (S4.1) and the commands that follow from it."""
        kind: str = event["type"]
        self.now = event["at_ms"]
        self.commands = []
        handlers: dict[str, Callable[[Json], None]] = {
            "flow-started": self._on_flow_started,
            "groups-generated": self._on_groups_generated,
            "generation-failed": self._on_generation_failed,
            "step-started": self._on_step_started,
            "step-finished": self._on_step_finished,
            "timer-fired": self._on_timer_fired,
            "continue-as-new-suggested": self._on_suggested,
            "continued-as-new": self._on_continued,
            "approval-responded": self._on_approval_responded,
            "approval-option-changed": self._on_option_changed,
            "cancel-requested": self._on_cancel,
            "rerun-requested": self._on_rerun,
            "group-retry-requested": self._on_group_retry,
            "retry-now-requested": self._on_retry_now,
            "pause-requested": self._on_pause,
            "resume-requested": self._on_resume,
            "append-requested": self._on_append,
        }
        request_id = event.get("request_id") if kind in REQUESTS else None
        try:
            if request_id is not None and request_id in self.request_ids:
                raise ignored("duplicate-request")  # S4.5
            handlers[kind](event)
        except Refused as refusal:
            assert not self.commands, "a refused event commands nothing (S4.1)"
            return str(refusal), []
        if request_id is not None:
            self.request_ids = [*self.request_ids, request_id][-256:]
        self._settle()
        return "accepted", self.commands

    def view(self) -> Json:
        """What a test compares: every status, every directive, what is open."""
        outcome = self.outcome or {}
        attempts = [
            attempt
            for group in self.groups
            for of_step in group.steps.values()
            for attempt in of_step
        ]
        return {
            "flow": self._flow_status(),
            "reason": outcome.get("reason"),
            "step": outcome.get("step"),
            "message": outcome.get("message"),
            "retries_exhausted": outcome.get("retries_exhausted", False),
            "steps": {attempt.id: attempt.status for attempt in attempts},
            "directives": {attempt.id: attempt.directive for attempt in attempts},
            "reasons": {a.id: None if a.swept or a.overtaken else a.reason for a in attempts},
            "groups": {group.key: self._group_status(group) for group in self.groups},
            "timers": dict(self.timers),
            "approvals": [
                attempt.id for attempt in self._live() if attempt.status == "approval-awaiting"
            ],
            "paused": self.paused,
            "incarnation": self.incarnation,
            "run": self.run,
            "finished_at_ms": self.finished_at_ms,
        }

    # --- statuses (section 3) ---

    def _flow_status(self) -> str:
        """Section 3, the flow: the first that matches."""
        if self.outcome is not None:
            return str(self.outcome["status"])
        if not self.started:
            return "pending"
        if self.cancelling:
            return "cancelling"
        busy = any(
            attempt.active or attempt.status == "waiting-to-retry" for attempt in self._live()
        )
        generating = self.generation == "running" and self._current() is None
        if busy or any(group.backoff for group in self.groups) or generating or self.continuing:
            return "in-progress"
        if self.paused:
            return "paused"
        if any(attempt.awaits_retry for attempt in self._live()):
            return "failed-pending-retry"
        assert any(attempt.status == "approval-awaiting" for attempt in self._live()), "law 10"
        return "approval-awaiting"

    def _group_status(self, group: Group) -> str:
        """Section 3, a group: the first that matches."""
        live = group.live
        statuses = {attempt.status for attempt in live}
        ever_ran = any(
            attempt.dispatched for of_step in group.steps.values() for attempt in of_step
        )
        if group.active or "waiting-to-retry" in statuses or group.backoff:
            return "in-progress"
        if any(attempt.awaits_retry for attempt in live):
            return "failed-pending-retry"
        if "approval-awaiting" in statuses:
            return "approval-awaiting"
        if statuses == {"pending"} and not ever_ran:
            return "pending"
        if "pending" in statuses:
            return "in-progress"
        if group.passed:
            return "success"
        if "not-attempted" in statuses and not ever_ran:
            return "discarded"
        if self.outcome is not None and self.outcome["status"] == "cancelled":
            return "cancelled"
        if group.stopped:
            return "error"
        if group.generation_swept:
            return "discarded"
        return "success"

    # --- questions ---

    @property
    def _is_live(self) -> bool:
        """Started and not finished (section 3)."""
        return self.started and self.outcome is None

    def _live(self) -> list[Attempt]:
        """All live attempts, in flow order (S1.2)."""
        return [attempt for group in self.groups for attempt in group.live]

    def _active(self) -> list[Attempt]:
        """All active attempts, in flow order."""
        return [attempt for attempt in self._live() if attempt.active]

    def _current(self) -> Group | None:
        """S5.1: the first group that has not finished."""
        return next((group for group in self.groups if not group.passed), None)

    def _current_index(self) -> int:
        """The index of the current group; that of the next one to come when all have finished."""
        return sum(group.passed for group in self.groups)

    def _of_step(self, key: Any) -> Attempt | None:
        """The live attempt of a step."""
        return next((attempt for attempt in self._live() if attempt.step["key"] == key), None)

    def _step_or_attempt(self, name: Any) -> Attempt:
        """S10.1: a step by its key or by its live attempt."""
        by_key = self._of_step(name)
        if by_key is not None:
            return by_key
        key, _, number = str(name).rpartition("#")
        of_step = self._of_step(key)
        if of_step is None or re.fullmatch("[1-9][0-9]*", number) is None:
            raise rejected("unknown-step")
        if of_step.id != name:
            raise rejected("stale-attempt")
        return of_step

    def _group(self, key: Any) -> Group | None:
        """The group of that key."""
        return next((group for group in self.groups if group.key == key), None)

    def _active_attempt(self, name: Any) -> Attempt:
        """S4.3: the active attempt a fact is about."""
        for group in self.groups:
            for of_step in group.steps.values():
                for attempt in of_step:
                    if attempt.id == name:
                        if attempt is of_step[-1] and attempt.active:
                            return attempt
                        raise ignored("stale-attempt")
        raise ignored("unknown-attempt")

    def _judge_request(self) -> None:
        """S4.2: the codes that come before those of any rule."""
        if self.outcome is not None:
            raise rejected("flow-finished")
        if not self.started:
            raise rejected("not-started")
        if self.cancelling:
            raise rejected("flow-cancelled")

    def _judge_step(self, key: Any) -> Attempt:
        """S4.2: the live attempt of the step, which must exist."""
        attempt = self._of_step(key)
        if attempt is None:
            raise rejected("unknown-step")
        return attempt

    # --- commands that also change the state ---

    def _emit(self, kind: str, **fields: Any) -> None:
        self.commands.append({"type": kind, **fields})

    def _start_timer(self, timer: str, delay_ms: int) -> None:
        """S14.1: a timer opens."""
        self.timers[timer] = self.now + delay_ms
        self._emit("schedule-timer", timer=timer, due_at_ms=self.now + delay_ms, delay_ms=delay_ms)

    def _cancel_timer(self, timer: str) -> None:
        """S14.1: a timer closes, if it is open."""
        if self.timers.pop(timer, None) is not None:
            self._emit("cancel-timer", timer=timer)

    def _cancel_timers_of(self, attempt: Attempt) -> None:
        """S8.14, S9.2: what leaves its status leaves no timer behind."""
        for kind in ("timeout", "approval", "backoff"):
            self._cancel_timer(f"{kind}:{attempt.id}")

    def _end(
        self, attempt: Attempt, status: str, directive: str | None, reason: str | None = None
    ) -> None:
        """An attempt gets a status that ends its wait or its work, and perhaps a directive."""
        self._cancel_timers_of(attempt)
        attempt.status = status
        if directive is not None:
            attempt.directive = directive
        if reason is not None:
            attempt.reason = reason

    def _new_attempt(self, old: Attempt, generation: int, retry: int) -> Attempt:
        """S1.2: a new attempt supersedes the old one."""
        new = Attempt(old.group, old.step, old.n + 1, generation, retry)
        old.group.steps[old.step["key"]].append(new)
        return new

    def _ask_for_groups(self) -> None:
        """S12.1: generation is asked for."""
        self.generation = "running"
        self._emit(
            "generate-steps",
            flow_id=self.flow_id,
            flow_type=self.flow_type,
            metadata=self.metadata,
            run=self.run,
        )

    # --- waits (S2.2) ---

    def _wait(self, policy: Json, n: int, name: str, error: Json) -> int:
        """S2.2: the wait before retry n."""
        waits = policy["backoff_ms"]
        d = waits[min(n, len(waits)) - 1] if waits else 0
        if policy["jitter"]:
            digest = hashlib.sha256(f"{self.flow_id}/{name}".encode()).digest()
            d = d // 2 + int.from_bytes(digest[:8], "big") % (d - d // 2 + 1)
        return max(d, error.get("retry_after_ms") or 0)

    # --- facts ---

    def _on_flow_started(self, event: Json) -> None:
        """S4.4, S12.1."""
        if self.started or self.outcome is not None:
            raise ignored("already-started")
        self.started = True
        if self.declared_groups:
            self.generation = "complete"
        else:
            self._ask_for_groups()

    def _on_groups_generated(self, event: Json) -> None:
        """S12.2."""
        new = [whole_group(group) for group in listed(event.get("groups"))]
        complete = event.get("complete", True)
        if (
            self.generation != "running"
            or not self._is_live
            or self.cancelling
            or not (new or complete)
        ):
            raise ignored("no-change")
        known = {group.key: canonical(group.spec) for group in self.groups}
        keys = [group["key"] for group in new]
        redelivery = len(set(keys)) == len(keys) and all(
            known.get(g["key"]) == canonical(g) for g in new
        )
        if redelivery and not complete:
            raise ignored("no-change")
        if not redelivery:
            if bad_groups(new, self.groups):
                self._fail_generation()
                return
            self.groups.extend(Group(group) for group in new)
        if complete:
            self.generation = "complete"

    def _on_generation_failed(self, event: Json) -> None:
        """S12.3."""
        if self.generation != "running" or not self._is_live or self.cancelling:
            raise ignored("no-change")
        self._fail_generation()

    def _fail_generation(self) -> None:
        """S12.3: sweep what is not active."""
        self.generation = "failed"
        for group in self.groups:
            if group.backoff:
                self._cancel_timer(group.timer)
                group.backoff = False
            for attempt in group.live:
                if attempt.unfinished and not attempt.active:
                    self._end(attempt, "discarded" if attempt.parked else "not-attempted", None)
                    attempt.reason = None
                    group.generation_swept = True
            for attempt in group.live:
                attempt.swept = attempt.swept or attempt.overtaken
            for decider in group.retry_deciders:
                decider.directive = "stop"
                group.stopped = True
            group.retry_deciders = []

    def _on_step_started(self, event: Json) -> None:
        """S5.6."""
        attempt = self._active_attempt(event["attempt"])
        if attempt.status == "in-progress":
            raise ignored("no-change")
        attempt.status = "in-progress"

    def _on_step_finished(self, event: Json) -> None:
        """S5.6, section 6."""
        self._finish_work(self._active_attempt(event["attempt"]), event)

    def _on_timer_fired(self, event: Json) -> None:
        """S4.3, S14.1: an open timer fires."""
        timer = event["timer"]
        if timer not in self.timers:
            raise ignored("stale-timer")
        del self.timers[timer]
        if timer == "cancel":
            self._grace_is_over()
            return
        kind, _, name = timer.partition(":")
        attempt = next((attempt for attempt in self._live() if attempt.id == name), None)
        if kind == "timeout":
            assert attempt is not None
            self._emit("cancel-futures", attempts=[attempt.id])  # S5.7
            error = {"message": "timeout", "type": "timeout"}
            self._finish_work(attempt, {"outcome": "failed", "error": error}, kind="timeout")
        elif kind == "approval":
            assert attempt is not None
            self._end(attempt, "approval-expired", None, "approval-expired")  # S8.13
            self._decide_stop(attempt, "approval-expired")
        else:
            self._backoff_is_over(name)

    def _backoff_is_over(self, name: str) -> None:
        """S7.1: an attempt, or a group, becomes pending."""
        for group in self.groups:
            if group.backoff and group.timer == f"backoff:{name}":
                group.backoff = False
            for attempt in group.live:
                if attempt.id == name:
                    attempt.status = "pending"

    def _grace_is_over(self) -> None:
        """S9.4: the `cancel` timer fires first."""
        remaining = self._active()
        for attempt in remaining:
            self._end(attempt, "cancelled", "stop", "cancelled")
        self.cancel_message = "not acknowledged: " + ", ".join(attempt.id for attempt in remaining)

    def _judge_incarnation(self, event: Json) -> None:
        """S13.3a."""
        if event.get("incarnation", 0) != self.incarnation:
            raise ignored("stale-incarnation")
        if not self._is_live:
            raise ignored("no-change")

    def _on_suggested(self, event: Json) -> None:
        """S13.2."""
        self._judge_incarnation(event)
        if self.suggested or self.continuing:
            raise ignored("no-change")
        self.suggested = True

    def _on_continued(self, event: Json) -> None:
        """S13.3."""
        self._judge_incarnation(event)
        if not self.continuing:
            raise ignored("no-change")
        self._continued()

    def _continued(self) -> None:
        """S13.3: the new incarnation runs, and every open timer with it."""
        self.continuing = False
        self.incarnation += 1
        self._emit_open_timers()

    def _emit_open_timers(self) -> None:
        """S13.3, S14.2: every open timer, with what is left of it."""
        for timer, due_at_ms in sorted(self.timers.items()):
            delay_ms = max(0, due_at_ms - self.now)
            self._emit("schedule-timer", timer=timer, due_at_ms=due_at_ms, delay_ms=delay_ms)

    # --- from outcome to directive (section 6) ---

    def _finish_work(self, attempt: Attempt, event: Json, kind: str = "failed") -> None:
        """The work of an active attempt ended."""
        group = attempt.group
        attempt.output = event.get("output")
        attempt.subject = event.get("subject")
        policy = event.get("policy")
        attempt.held = policy is not None and not policy.get("evaluated", True)
        attempt.policy_denied = policy is not None and bool(policy.get("deny_violations"))
        outcome = event["outcome"]
        if outcome != "succeeded":
            attempt.error = event.get("error") or {}
        self._cancel_timers_of(attempt)
        if self.cancelling:
            self._finish_cancelled_work(attempt, outcome)
            return
        directive, status, reason, exhausted = self._section_six(attempt, outcome, event, kind)
        attempt.reason = reason
        asks = attempt.step["approval"] is not None or status == "ask"
        ended_well = status not in ("error", "cancelled")
        if group.stopped or self.generation == "failed":
            self._finish_late(attempt, directive, status, asks)
        elif directive == "stop":
            attempt.status = status
            self._decide_stop(attempt, reason or "failed", exhausted)
        elif group.retry_deciders and ended_well:  # S7.2, on retry-group
            attempt.status, attempt.directive = ("discarded" if asks else status), directive
            attempt.overtaken = asks
        elif group.retry_deciders and directive != "continue":
            attempt.status, attempt.directive = status, "retry-group"
            group.retry_deciders.append(attempt)
        elif status == "ask":
            self._ask(attempt, policy)
        else:
            attempt.status, attempt.directive = status, directive
            self._apply(attempt, directive)

    def _finish_cancelled_work(self, attempt: Attempt, outcome: str) -> None:
        """S9.3: only the outcome counts."""
        statuses = {"cancelled": "cancelled", "failed": "error", "succeeded": "success"}
        attempt.status = statuses[outcome]
        if outcome == "succeeded" and attempt.step["approval"] is not None:
            attempt.status = "cancelled"
        attempt.directive = "stop"

    def _finish_late(self, attempt: Attempt, directive: str, status: str, asks: bool) -> None:
        """S7.2: what is returned after a stop starts nothing any more."""
        if status == "cancelled" and attempt.cancel_asked:
            attempt.status, attempt.directive, attempt.reason = "cancelled", "stop", "fail-fast"
            attempt.swept = True
        elif status in ("error", "cancelled"):
            attempt.status, attempt.directive = status, "stop"
            attempt.group.stopped = True
        elif asks:
            attempt.status, attempt.directive, attempt.swept = "discarded", directive, True
            attempt.group.generation_swept |= self.generation == "failed"
        else:
            attempt.status, attempt.directive = status, directive
            attempt.group.stopped |= directive == "stop"

    def _section_six(
        self, attempt: Attempt, outcome: str, event: Json, kind: str
    ) -> tuple[str, str, str | None, bool]:
        """The first row of section 6: directive, status (`ask`: see S8), reason, exhausted."""
        step = attempt.step
        given = event.get("directive")
        policy: Json = event.get("policy") or {}
        if outcome == "cancelled":
            return "stop", "cancelled", "cancelled-externally", False  # S6.1
        if given is not None and given not in DIRECTIVES:
            attempt.error = event.get("error") or {}
            return "stop", "error", "unknown-directive", False  # S6.2
        if outcome == "failed":
            return self._failure(attempt, given, kind)
        if policy.get("deny_violations"):  # S6.3
            attempt.error = {
                "message": "Denied by policy",
                "type": "policy-denied",
                "non_retryable": True,
            }
            return self._failure(attempt, given, "policy-denied")
        if given in (None, "continue") and event.get("noop") is True and step["skip_if_noop"]:
            return "skip-group", "auto-skipped", "noop", False  # S6.4
        if given == "await-approval" or (
            step["approval"] is not None and given in (None, "continue")
        ):
            return "await-approval", "ask", None, False  # S6.5, S6.7
        if given in (None, "continue"):
            return "continue", "success", None, False  # S6.6
        if given == "skip-group":
            return (
                "skip-group",
                "success" if step["approval"] is None else "auto-skipped",
                None,
                False,
            )  # S6.8
        if given == "stop":
            status = "success" if step["approval"] is None else "discarded"
            return "stop", status, "stopped-by-step", False  # S6.9
        attempt.error = event.get("error") or {}
        return self._retry_or_not(attempt, given, kind)  # S6.10

    def _failure(
        self, attempt: Attempt, given: str | None, kind: str
    ) -> tuple[str, str, str | None, bool]:
        """Rows S6.11 to S6.19."""
        if given == "stop":
            return "stop", "error", kind, False  # S6.11
        if given in ("continue", "skip-group", "await-approval"):
            given = None  # S6.12
        if attempt.terminal:
            forgiven = "continue" if attempt.step["skip_on_failure"] else "stop"
            return forgiven, "error", "terminal-error", False  # S6.13
        return self._retry_or_not(attempt, given, kind)

    def _retry_or_not(
        self, attempt: Attempt, given: str | None, kind: str
    ) -> tuple[str, str, str | None, bool]:
        """Rows S6.14 to S6.19."""
        step, retry, group = attempt.step, attempt.step["retry"], attempt.group
        forgiven = "continue" if step["skip_on_failure"] else "stop"
        of_group = given == "retry-group" or (retry["scope"] == "group" and given != "retry")
        n = group.generation + 1 if of_group else attempt.retry + 1
        if n > (group.budget if of_group else retry["max_retries"]):
            return forgiven, "error", "retries-exhausted", True  # S6.14
        if given in ("retry", "retry-group"):
            return given, "error", kind, False  # S6.15
        pointless = (
            given == "await-retry"
            or attempt.error.get("non_retryable")
            or n > retry["max_auto_retries"]
        )
        if not pointless:
            return "retry-group" if of_group else "retry", "error", kind, False  # S6.16
        if step["skip_on_failure"]:
            return "continue", "error", kind, False  # S6.17
        if step["retryable"] and (
            self.options["on_failure"] == "await-retry" or given == "await-retry"
        ):
            return "await-retry", "error", kind, False  # S6.18
        return "stop", "error", kind, False  # S6.19

    def _description(self, error: Json | None) -> str:
        """S6.21: what people may read about a failure."""
        while error:
            if error.get("non_retryable") or error.get("terminal"):
                return str(error.get("message", ""))
            error = error.get("cause")
        return "Step failed"

    # --- from directive to group (section 7) ---

    def _apply(self, attempt: Attempt, directive: str) -> None:
        """Section 7: what a directive other than stop does to the group."""
        if directive == "retry":
            self._retry_with_backoff(attempt)
        elif directive == "retry-group":
            attempt.group.retry_deciders.append(attempt)
        elif directive == "skip-group":
            self._skip_group(attempt)

    def _retry_with_backoff(self, attempt: Attempt) -> None:
        """S7.1, S2.2: a new attempt, perhaps after a wait."""
        new = self._new_attempt(attempt, attempt.generation, attempt.retry + 1)
        wait = self._wait(attempt.step["retry"], new.retry, new.id, attempt.error)
        if wait > 0:
            new.status = "waiting-to-retry"
            self._start_timer(f"backoff:{new.id}", wait)

    def _skip_group(self, attempt: Attempt) -> None:
        """Section 7 and S7.2: what has not begun is discarded."""
        group = attempt.group
        if group.retry_deciders:
            return  # S7.2: retry-group outranks skip-group
        if group.spec["parallel"]:
            swept = [other for other in group.live if not group.started_in_generation(other)]
        else:
            swept = group.after(attempt)
        for other in swept:
            if other.unfinished and other is not attempt:
                self._end(other, "discarded", None)

    def _decide_stop(self, attempt: Attempt, reason: str, exhausted: bool = False) -> None:
        """S7.2, S7.4: an attempt decides stop; siblings that are not active are swept at once."""
        group = attempt.group
        attempt.directive, attempt.reason = "stop", reason
        assert self.stop is None, "what comes after a stop is `_finish_late`"
        message = FIXED_MESSAGES.get(reason) or self._description(attempt.error)
        self.stop = self._outcome("error", reason, attempt.id, message, exhausted)
        group.stopped = True
        for other in group.live:
            other.swept = other.swept or other.overtaken
        for decider in group.retry_deciders:
            decider.directive = "stop"
        group.retry_deciders = []
        for other in group.live:
            if other.unfinished and not other.active and other is not attempt:
                self._end(other, "discarded", None)
                other.swept = True
        victims = [other for other in group.active if not other.cancel_asked]
        if group.spec["fail_fast"] and victims:
            for other in victims:
                other.cancel_asked = True
            self._emit("cancel-futures", attempts=[other.id for other in victims])

    def _retry_group(self, group: Group, wait: int, directive: str | None = None) -> None:
        """Section 7, retry-group: every step again; a person's `directive` replaces others."""
        generation = group.generation + 1
        assert not group.backoff, "what waits out a backoff is neither parked nor active"
        group.retry_deciders = []
        for attempt in group.live:
            self._supersede(attempt, directive)
            self._new_attempt(attempt, generation, 0)
        if wait > 0:
            group.backoff = True
            self._start_timer(group.timer, wait)

    def _supersede(self, attempt: Attempt, directive: str | None) -> None:
        """S3.1: what a retry leaves behind; a person's choice replaces await-* and stop."""
        chosen = (
            directive
            if attempt.parked or self._decided_stop(attempt) or attempt.is_failure
            else None
        )
        if attempt.unfinished or (directive is not None and attempt.is_failure):
            self._end(attempt, "discarded", chosen)
        elif chosen is not None:
            attempt.directive = chosen

    def _decided_stop(self, attempt: Attempt) -> bool:
        """S10.5: it decided stop, and was neither swept by it nor skipped."""
        return (
            attempt.directive == "stop" and not attempt.swept and attempt.status != "user-skipped"
        )

    # --- what now? ---

    def _settle(self) -> None:
        """Sections 5, 7, 9, 12 and 13: until nothing more follows."""
        while self._is_live and self._step_on():
            pass

    def _step_on(self) -> bool:
        """One thing that follows from the state; False when nothing does."""
        active = bool(self._active())
        if self.cancelling:
            return not active and self._finish(
                "cancelled", "cancelled", None, self.cancel_message
            )  # S9.4
        if self.generation == "failed":
            return not active and self._finish_stopped()  # S12.3
        group = self._current()
        if group is None:
            return self._after_the_last_group()
        if group.stopped:
            return not active and self._finish_stopped()  # S7.4
        if group.retry_deciders and not active:
            first = group.retry_deciders[0]
            n = group.generation + 1
            self._retry_group(
                group, self._wait(first.step["retry"], n, f"{group.key}@{n}", first.error)
            )
            return True
        if not any(attempt.unfinished for attempt in group.live):
            group.passed = True  # S7.3
            self.groups_since_continue += 1
            return True
        if self._continue_as_new() or self.paused or self.continuing:
            return False  # S5.5
        return self._dispatch_next(group)

    def _after_the_last_group(self) -> bool:
        """S7.5, S12.2: success, no steps at all, or wait for more."""
        if self.generation == "complete":
            if not self.groups:
                return self._finish("error", "no-steps", None, FIXED_MESSAGES["no-steps"])
            return self._finish("success", None, None, None)
        self._continue_as_new()
        return False

    def _continue_as_new(self) -> bool:
        """S13.1, S13.2: continue as new instead of dispatching."""
        every = self.options["continue_as_new_every"]
        due = (
            every is not None
            and self.groups_since_continue >= every
            and self._current() is not None
        )
        if self.continuing or self._active() or not (due or self.suggested):
            return False
        self.continuing, self.suggested, self.groups_since_continue = True, False, 0
        self._emit_continue_as_new()
        return True

    def _emit_continue_as_new(self) -> None:
        index = self._current_index()
        self._emit("continue-as-new", start_from_group_idx=index, incarnation=self.incarnation)

    def _dispatch_next(self, group: Group) -> bool:
        """S5.2, S5.3: dispatch one candidate, or skip one whose turn it is."""
        if group.backoff or group.retry_deciders:
            return False
        if group.spec["parallel"]:
            candidates = [attempt for attempt in group.live if attempt.status == "pending"]
            limit = group.spec["max_parallel"] or self.options["max_parallel"]
            room = limit is None or len(group.active) < limit
        else:
            candidates = [attempt for attempt in group.live if attempt.unfinished]
            room = True
        if not candidates or candidates[0].status != "pending":
            return False
        attempt = candidates[0]
        if attempt.step["skipped"]:
            self._end(attempt, "auto-skipped", "continue", "skipped")  # S5.4
            return True
        if room:
            self._dispatch(attempt)
        return room

    def _dispatch(self, attempt: Attempt) -> None:
        """S5.4."""
        attempt.status = "queued"
        attempt.dispatched = True
        self._emit_dispatch(attempt)
        timeout_ms = attempt.step["timeout_ms"]
        if timeout_ms is not None:
            self._start_timer(f"timeout:{attempt.id}", timeout_ms)

    def _emit_dispatch(self, attempt: Attempt) -> None:
        """S5.4, S2.3."""
        step = attempt.step
        outputs: Json = {}
        subjects: Json = {}
        for need in step["needs"]:
            needed = self._of_step(need)
            succeeded = needed is not None and needed.status == "success"
            outputs[need] = needed.output if needed is not None and succeeded else None
            if needed is not None and succeeded and needed.approved:
                subjects[need] = needed.subject
        self._emit(
            "dispatch-step",
            attempt=attempt.id,
            work=step["work"],
            input=step["input"],
            outputs=outputs,
            subjects=subjects,
            idempotency_key=f"{self.flow_id}/{attempt.id}",
            retry=attempt.retry,
            generation=attempt.generation,
            timeout_ms=step["timeout_ms"],
        )

    # --- recovery (section 14) ---

    def pending_commands(self, at_ms: int) -> list[Json]:
        """S14.2: what a host that lost its memory must do again."""
        self.now, self.commands = at_ms, []
        if self.outcome is not None:
            self._emit("finish-flow", outcome=dict(self.outcome), run=self.run)
        asked = [attempt.id for attempt in self._active() if attempt.cancel_asked]
        for attempt in self._active():
            if not attempt.cancel_asked and attempt.step["on_recovery"] != "fail":
                self._emit_dispatch(attempt)
        if asked:
            self._emit("cancel-futures", attempts=asked)
        self._emit_open_timers()
        for attempt in self._live():
            if attempt.status == "approval-awaiting":
                self._emit_request(attempt)
        if self.generation == "running" and self._is_live and not self.cancelling:
            self._ask_for_groups()
        if self.continuing:
            self._emit_continue_as_new()
        return self.commands

    def interrupted_attempts(self) -> list[str]:
        """S14.3: what is not dispatched again, for the host to answer."""
        return [
            attempt.id
            for attempt in self._active()
            if attempt.step["on_recovery"] == "fail" and not attempt.cancel_asked
        ]

    # --- the end ---

    def _outcome(
        self,
        status: str,
        reason: str | None,
        step: str | None,
        message: str | None,
        exhausted: bool = False,
    ) -> Json:
        """S3.2."""
        return {
            "status": status,
            "reason": reason,
            "step": step,
            "message": message,
            "retries_exhausted": exhausted,
        }

    def _finish(
        self, status: str, reason: str | None, step: str | None, message: str | None
    ) -> bool:
        """S3.2, S7.7."""
        return self._finish_with(self._outcome(status, reason, step, message))

    def _finish_stopped(self) -> bool:
        """S7.4, S12.3: steps of later groups are swept, the outcome is that of the first stop."""
        for attempt in self._live():
            if attempt.unfinished:
                self._end(attempt, "not-attempted", None)
                attempt.swept = True
        reason = "generation-failed"
        return self._finish_with(
            self.stop or self._outcome("error", reason, None, FIXED_MESSAGES[reason])
        )

    def _finish_with(self, outcome: Json) -> bool:
        """S3.2, S7.7, S13.3a."""
        for timer in sorted(self.timers):
            self._cancel_timer(timer)
        self.outcome = outcome
        self.finished_at_ms = self.now
        self.cancelling = False
        if self.generation == "running":
            self.generation = "abandoned"
        if self.continuing or self.suggested:
            self.continuing = self.suggested = False
            self.incarnation += 1
        self._emit("finish-flow", outcome=dict(outcome), run=self.run)
        return True

    # --- approval (section 8) ---

    def _ask(self, attempt: Attempt, policy: Json | None) -> None:
        """S8.1 to S8.4."""
        approval = attempt.step["approval"] or dict(APPROVAL_DEFAULTS)
        attempt.approval = approval
        passed = policy is not None and approval["auto_approve_on_policy_pass"]
        if not attempt.held and (passed or self.approval_option == "approve-all"):
            self._approve(attempt)  # S8.2, S8.3
            return
        attempt.status, attempt.directive = "approval-awaiting", "await-approval"
        attempt.requested_at = self.now
        self._emit_request(attempt)
        if approval["timeout_ms"] is not None:
            self._start_timer(f"approval:{attempt.id}", approval["timeout_ms"])

    def _emit_request(self, attempt: Attempt) -> None:
        """S8.4."""
        approval = attempt.approval
        timeout_ms = approval["timeout_ms"]
        self._emit(
            "request-approval",
            attempt=attempt.id,
            subject=attempt.subject,
            required=approval["required"],
            approvers=approval["approvers"],
            expires_at_ms=None if timeout_ms is None else attempt.requested_at + timeout_ms,
        )

    def _approve(self, attempt: Attempt) -> None:
        """S8.2, S8.3, S8.7: success, continue."""
        self._end(attempt, "success", "continue")
        attempt.approved = True

    def _on_approval_responded(self, event: Json) -> None:
        """Section 8: the codes of every response, then its row."""
        self._judge_request()
        attempt = self._judge_step(event["step"])
        response, by, subject = event["response"], event.get("by"), event.get("subject")
        if attempt.status != "approval-awaiting":
            raise rejected("not-awaiting-approval")
        if attempt.approval["approvers"] is not None and by not in attempt.approval["approvers"]:
            raise rejected("not-an-approver")
        if subject is not None and canonical(subject) != canonical(attempt.subject):
            raise rejected("subject-mismatch")
        if response == "approve" and by in attempt.approved_by:
            raise rejected("already-responded")
        if response == "approve":
            self._approved_by(attempt, by)
        elif response == "deny":
            self._end(attempt, "approval-denied", None)  # S8.8
            self._decide_stop(attempt, "denied")
        elif response in ("skip-current", "skip-current-and-dependents"):
            if not attempt.step["skippable"]:
                raise rejected("not-skippable")
            if response == "skip-current":
                self._skip_with_scope(attempt, attempt.approval["skip_scope"])  # S8.9
            else:
                self._skip_dependents(attempt)
        elif response == "retry":
            if attempt.retry + 1 > attempt.step["retry"]["max_retries"]:
                raise rejected("retries-exhausted")
            self._end(attempt, "discarded", "retry")  # S8.11
            self._new_attempt(attempt, attempt.generation, attempt.retry + 1)
        else:
            raise rejected("unknown-response")  # S8.12

    def _approved_by(self, attempt: Attempt, by: Any) -> None:
        """S8.5 to S8.7."""
        stale_after_ms = attempt.approval["stale_after_ms"]
        if stale_after_ms is not None and self.now - attempt.requested_at >= stale_after_ms:
            if attempt.retry + 1 <= attempt.step["retry"]["max_retries"]:
                self._end(attempt, "discarded", "retry", "stale-plan")
                self._new_attempt(attempt, attempt.generation, attempt.retry + 1)
            else:
                self._end(attempt, "error", None)
                self._decide_stop(attempt, "stale-plan", True)
            return
        attempt.approved_by.append(by)
        if len(attempt.approved_by) >= attempt.approval["required"]:
            self._approve(attempt)

    def _skip_with_scope(self, attempt: Attempt, scope: str) -> None:
        """S8.9: the step alone, or with what it would have led to."""
        self._skip(attempt, scope)
        if scope == "group":
            self._skip_what_it_led_to(attempt)

    def _skip(self, attempt: Attempt, scope: str) -> None:
        directive = "continue" if scope == "step" else "skip-group"
        self._end(attempt, "user-skipped", directive, "skipped-by-user")

    def _skip_what_it_led_to(self, attempt: Attempt) -> None:
        group = attempt.group
        for other in group.after(attempt):
            if other.unfinished and not other.active and not group.started_in_generation(other):
                self._skip(other, "step")
        self._skip_group(attempt)

    def _skip_dependents(self, attempt: Attempt) -> None:
        """S8.10."""
        self._end(attempt, "user-skipped", None)
        for other in attempt.group.after(attempt):
            if other.unfinished and not other.active:
                self._end(other, "user-skipped", "continue", "skipped-by-user")
        self._decide_stop(attempt, "skipped-dependents")

    def _on_option_changed(self, event: Json) -> None:
        """S8.15."""
        self._judge_request()
        option = event["option"]
        if option not in ("prompt", "approve-all"):
            raise rejected("unknown-option")
        if option == self.approval_option:
            raise ignored("no-change")
        self.approval_option = option
        for attempt in self._live():
            if (
                option == "approve-all"
                and attempt.status == "approval-awaiting"
                and not attempt.held
            ):
                self._approve(attempt)

    # --- cancel (section 9) ---

    def _on_cancel(self, event: Json) -> None:
        """S9.1, S9.2, S4.4."""
        step, group = event.get("step"), event.get("group")
        if self.outcome is not None:
            raise (
                ignored("no-change")
                if self.outcome["status"] == "cancelled"
                else rejected("flow-finished")
            )
        named: list[Attempt] = []
        if step is not None:
            named = [self._judge_step(step)]
        if group is not None and self._group(group) is None:
            raise rejected("unknown-group")
        if self.cancelling:
            raise ignored("no-change")
        if any(not attempt.unfinished for attempt in named):
            raise rejected("already-finished")
        in_group = self._group(group) if group is not None else None
        if in_group is not None and not any(attempt.unfinished for attempt in in_group.live):
            raise rejected("already-finished")
        self._cancel(event.get("reason"))

    def _cancel(self, reason: str | None) -> None:
        """S9.2, all at once."""
        current = self._current() if self.started else None
        for attempt in self._live():
            if attempt.unfinished and not attempt.active:
                self._end(
                    attempt, "cancelled" if attempt.group is current else "not-attempted", None
                )
        for group in self.groups:
            group.backoff = False
            group.retry_deciders = []
        for timer in sorted(self.timers):
            self._cancel_timer(timer)
        if not self.started:
            self._finish("cancelled", "cancelled", None, reason)  # S4.4
            return
        self.cancelling = True
        self.cancel_message = reason
        active = self._active()
        if active:
            for attempt in active:
                attempt.cancel_asked = True
            self._emit("cancel-futures", attempts=[attempt.id for attempt in active])
            self._start_timer("cancel", self.options["cancel_grace_ms"])

    # --- rerun (section 10) ---

    def _on_rerun(self, event: Json) -> None:
        """S10.1: every check in order, then the change (S10.9)."""
        if event.get("flow_id", self.flow_id) != self.flow_id:
            raise rejected("flow-mismatch")
        if (event.get("continue_from_idx") or 0) > 0:
            self._second_leg(event["continue_from_idx"])
            return
        operation = event.get("operation", "retry-step")
        if operation not in ("retry-step", "skip-step"):
            raise rejected("invalid-operation")
        target = self._step_or_attempt(event["step_id"])
        if self.cancelling or self._was_cancelled():
            raise rejected("flow-cancelled")
        if not self._may_be_rerun() or not target.is_failure:
            raise rejected("not-failed")
        group = target.group
        span: list[Attempt] = []  # S10.3: these get a new attempt in the next generation
        if operation == "skip-step":
            self._judge_skip(target)
        elif event.get("stale_plan"):
            span = self._judge_replan(target, event.get("replan_step_id"))
        elif target.step["retry"]["scope"] == "group":
            self._judge_group_retry(group)  # S10.2
            span = group.live
        else:
            self._judge_retry(target)
        skips = self._judge_additional(event.get("additional_skip_step_ids") or ())
        whole_group = operation == "retry-step" and not event.get("stale_plan") and bool(span)
        others = (
            self._others_to_retry(target, skips)
            if self.outcome is not None and not whole_group
            else []
        )
        self._judge_blocked(others, span)
        refused_scopes = {skip.step["key"]: self._skip_scope(skip) for skip in [target, *skips]}
        self._revive(group, spared=[*span, target])
        if whole_group:
            self._retry_group(group, 0, "retry-group")
        else:
            self._retry_others(target, [other for other in others if other not in span], span)
            if operation == "retry-step" and not span:
                self._supersede(target, "retry")
                self._new_attempt(target, target.generation, target.retry + 1)
        keys = [target.step["key"]] if operation == "skip-step" else []
        self._skip_all([*keys, *(skip.step["key"] for skip in skips)], refused_scopes)

    def _skip_all(self, keys: list[str], scopes: dict[str, str]) -> None:
        """S10.4: every named step is skipped, then what the refused ones would have led to."""
        skipped: list[Attempt] = []
        for key in keys:
            live = self._judge_step(key)
            if live.unfinished or live.is_failure:
                self._skip(live, scopes[key])
                skipped.append(live)
        for attempt in skipped:
            if scopes[attempt.step["key"]] == "group":
                self._skip_what_it_led_to(attempt)

    def _was_cancelled(self) -> bool:
        """S9.5."""
        return self.outcome is not None and self.outcome["status"] == "cancelled"

    def _may_be_rerun(self) -> bool:
        """S10.7, S12.3: no success, and no failed generation."""
        succeeded = self.outcome is not None and self.outcome["status"] == "success"
        return not succeeded and self.generation != "failed"

    def _second_leg(self, index: int) -> None:
        """S10.6: acts as continued-as-new."""
        if self.cancelling:
            raise rejected("flow-cancelled")
        if not self._is_live or index != self._current_index():
            raise rejected("invalid-continue-index")
        if not self.continuing:
            raise ignored("no-change")
        self._continued()

    def _judge_running(self, target: Attempt) -> None:
        """S10.1: another attempt of a stopped group is still active."""
        if target.group.stopped and target.group.active:
            raise rejected("group-running")

    def _judge_skip(self, target: Attempt) -> None:
        """S10.1, skip-step."""
        self._judge_running(target)
        if not target.step["skippable"]:
            raise rejected("not-skippable")

    def _judge_retry(self, target: Attempt) -> None:
        """S10.1, retry-step."""
        self._judge_running(target)
        if not target.step["retryable"]:
            raise rejected("not-retryable")
        if target.retry + 1 > target.step["retry"]["max_retries"]:
            raise rejected("retries-exhausted")
        if target.terminal:
            raise rejected("terminal-error")

    def _judge_replan(self, target: Attempt, replan: Any) -> list[Attempt]:
        """S10.3: the span from the plan to the target."""
        group = target.group
        if not target.step["retryable"]:
            raise rejected("not-retryable")
        keys = list(group.steps)
        last = keys.index(target.step["key"])
        if replan not in keys[: last + 1]:
            raise rejected("invalid-replan-step")
        span = [group.steps[key][-1] for key in keys[keys.index(replan) : last + 1]]
        self._judge_running(target)
        if any(attempt.active for attempt in span) or group.retry_deciders:
            raise rejected("group-running")
        if group.generation + 1 > group.budget:
            raise rejected("retries-exhausted")
        if target.terminal:
            raise rejected("terminal-error")
        return span

    def _judge_group_retry(self, group: Group) -> None:
        """S10.8, the codes after `not-failed`."""
        failed = [attempt for attempt in group.live if attempt.is_failure]
        if group.active:
            raise rejected("group-running")
        if any(not attempt.step["retryable"] for attempt in failed):
            raise rejected("not-retryable")
        if group.generation + 1 > group.budget:
            raise rejected("retries-exhausted")
        if any(attempt.terminal for attempt in failed):
            raise rejected("terminal-error")

    def _judge_additional(self, names: Any) -> list[Attempt]:
        """S10.4: what may be skipped along."""
        skips: list[Attempt] = []
        for name in names:
            attempt = self._step_or_attempt(name)
            may_be = attempt.unfinished or attempt.swept or attempt.is_failure
            if (
                not attempt.step["skippable"]
                or attempt.active
                or attempt.group.passed
                or not may_be
            ):
                raise rejected("not-skippable")
            skips.append(attempt)
        return skips

    def _others_to_retry(self, target: Attempt, skips: list[Attempt]) -> list[Attempt]:
        """S10.5: the other attempts that decided stop and are not skipped, now or before."""
        return [
            other
            for other in target.group.live
            if other is not target and other not in skips and self._decided_stop(other)
        ]

    def _judge_blocked(self, others: list[Attempt], span: list[Attempt]) -> None:
        """S10.5: each of them must be fit for a retry."""
        for other in others:
            exhausted = other not in span and other.retry + 1 > other.step["retry"]["max_retries"]
            if not other.step["retryable"] or exhausted or (other.is_failure and other.terminal):
                raise rejected("blocked-by")

    def _skip_scope(self, attempt: Attempt) -> str:
        """S10.4: what nobody approved is skipped with its scope, anything else alone."""
        if not attempt.plan_was_refused and attempt.status != "approval-awaiting":
            return "step"
        approval = attempt.approval or attempt.step["approval"] or APPROVAL_DEFAULTS
        return str(approval["skip_scope"])

    def _revive(self, group: Group, spared: list[Attempt]) -> None:
        """S10.5: a flow that ended in error lives again, with what its stop swept."""
        if self.outcome is None:
            return
        self.outcome = self.stop = self.finished_at_ms = None
        self.run += 1
        group.stopped = False
        if self.generation == "abandoned":
            self._ask_for_groups()
        for attempt in self._live():
            if attempt.swept and attempt not in spared:
                if attempt.dispatched:
                    self._new_attempt(attempt, attempt.generation, attempt.retry)
                else:
                    attempt.status, attempt.swept = "pending", False

    def _retry_others(self, target: Attempt, others: list[Attempt], span: list[Attempt]) -> None:
        """S10.5 and S10.3: siblings go along, the span runs in the next generation."""
        for other in others:
            self._supersede(other, "retry")
            self._new_attempt(other, other.generation, other.retry + 1)
        generation = target.group.generation + 1
        for attempt in span:
            self._supersede(attempt, "retry")
            self._new_attempt(attempt, generation, 0)

    def _on_group_retry(self, event: Json) -> None:
        """S10.8."""
        if self.outcome is None and not self.started:
            raise rejected("not-started")
        if self.cancelling:
            raise rejected("flow-cancelled")
        group = self._group(event["group"])
        if group is None:
            raise rejected("unknown-group")
        if self._was_cancelled():
            raise rejected("flow-cancelled")
        parked = any(attempt.parked for attempt in group.live)
        if not self._may_be_rerun() or not (parked or group.stopped):
            raise rejected("not-failed")
        self._judge_group_retry(group)
        self._revive(group, spared=group.live)
        self._retry_group(group, 0, "retry-group")

    # --- pause, retry-now, append (section 11) ---

    def _on_pause(self, event: Json) -> None:
        """S11.1."""
        self._judge_request()
        if self.paused:
            raise ignored("no-change")
        self.paused = True

    def _on_resume(self, event: Json) -> None:
        """S11.2."""
        self._judge_request()
        if not self.paused:
            raise ignored("no-change")
        self.paused = False

    def _on_retry_now(self, event: Json) -> None:
        """S11.3."""
        self._judge_request()
        attempt = self._judge_step(event["step"])
        if attempt.status == "waiting-to-retry":
            self._end(attempt, "pending", None)
        elif attempt.group.backoff:
            self._cancel_timer(attempt.group.timer)
            attempt.group.backoff = False
        else:
            raise rejected("not-waiting")

    def _on_append(self, event: Json) -> None:
        """S11.4, S4.4."""
        if self.outcome is not None:
            raise rejected("flow-finished")
        if self.cancelling:
            raise rejected("flow-cancelled")
        new = [whole_group(group) for group in listed(event.get("groups"))]
        if not new:
            raise ignored("no-change")
        known_steps = {key for group in self.groups for key in group.steps}
        step_keys = {step["key"] for group in new for step in group["steps"]}
        if any(self._group(group["key"]) for group in new) or step_keys & known_steps:
            raise rejected("duplicate-key")
        if bad_groups(new, self.groups):
            raise rejected("invalid-groups")
        self.groups.extend(Group(group) for group in new)
