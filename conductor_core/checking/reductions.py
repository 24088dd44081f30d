"""What two states may differ in and still behave alike: one small function for each reason.

Rule: a reduction is argued from the rules as they stand: it may forget only what neither the
reducer nor a property can see any more, so that two states with one key have the same
future under the alphabet, event by event (they are bisimilar). A bug that lets a rule see
what was forgotten here could hide behind a reduction; therefore each can be switched off
(`Reductions`), and tests compare every one of them with the search that forgets nothing.

"Recall" below means that a rerun may still revive what has ended: the search has reruns
left, and no rule rules them all out (S10.1).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from attrs import evolve, frozen

from conductor_core.attempt import OVERTAKEN, Attempt, AttemptStatus
from conductor_core.checking.alphabet import Alphabet, Spent
from conductor_core.checking.arrangements import SKIP_DEPENDENTS
from conductor_core.spec import FlowOptions, GroupSpec, RetryPolicy, StepSpec
from conductor_core.state import FlowState


@frozen(kw_only=True)
class Reductions:
    """Which reductions a search uses; some stand on others.

    Without `times` there are none. `siblings` are alike only without `names`, and only if
    what is `settled` goes too; `finished` stands on that and on `superseded`, and the
    retries of a step are counted by `counters` only with `finished`. What is forgotten of an
    attempt must not be told once it has moved elsewhere.
    """

    times: bool = True
    names: bool = True
    superseded: bool = True
    finished: bool = True
    counters: bool = True
    settled: bool = True
    endings: bool = True
    siblings: bool = True


FROM_PLAN: Final = "retry-from-plan"

ALL: Final = Reductions()
NONE: Final = Reductions(
    times=False,
    names=False,
    superseded=False,
    finished=False,
    counters=False,
    settled=False,
    endings=False,
    siblings=False,
)

ONLY_NAMES: Final = evolve(NONE, times=True, names=True)
"""What may be forgotten when a property looks anywhere."""

DONE: Final = ("done",)
"""All that is left to see of an attempt that will never be looked at again."""


def may_recall(state: FlowState, alphabet: Alphabet, spent: Spent) -> bool:
    """Whether a rerun may still revive something of this state.

    Every rerun goes through `_beyond_rerun`, which refuses once a cancel was accepted, the
    flow succeeded or its generation failed, and none of these is ever taken back; and the
    search itself sends no more reruns than its bound.
    """
    if spent.reruns >= alphabet.reruns or not alphabet.operations:
        return False
    if state.cancellation is not None or state.generating in ("failing", "failed"):
        return False
    return state.outcome is None or state.outcome.status == "error"


# --- an attempt ---


def timeless(attempt: Attempt) -> Hashable:
    """Leave times out; that a timer is open, and of which kind, remains.

    The reducer compares times in one place only, the age of a plan (S8.5), and there the
    alphabet chooses the answer's time after the question's, fresh or stale. Due times are
    never compared (S4.3): an open timer may fire whenever it is due. The kind of a timer
    follows from the status.
    """
    approval = attempt.approval
    asked = None if approval is None else (approval.answers, approval.automatic)
    timed = attempt.due_at_ms is not None
    return (
        *(attempt.status, attempt.n, attempt.generation, attempt.retry, attempt.directive),
        *(attempt.reason, attempt.dispatched, attempt.cancel_requested, timed),
        *(attempt.result, asked),
    )


def without_names(attempt: Attempt) -> Attempt:
    """Leave out what is only a name: the number of an attempt and the subject of a plan.

    A rule asks whether an id is that of the live attempt, and the alphabet speaks of live
    attempts only; the number enters a wait's length (S2.2), which is a time. A subject is
    compared with that of an answer, and the alphabet answers for the same one or, on
    purpose, for another. Who approved is left as it is; notes are never given.
    """
    if attempt.result is None or attempt.result.subject is None:
        return evolve(attempt, n=0)
    return evolve(attempt, n=0, result=evolve(attempt.result, subject=""))


def ran(attempt: Attempt, earlier: Iterable[Attempt]) -> bool:
    """What is left to see of superseded attempts: whether one ran in this generation.

    A superseded attempt is never changed and never counts again (S1.2). The only question
    about it is whether a pending step was dispatched since its generation began (S7.2).
    """
    return attempt.dispatched or any(
        one.dispatched and one.generation == attempt.generation for one in earlier
    )


def reduced(
    attempt: Attempt, *, retry: Hashable, has_run: Hashable, recall: bool, stopping: bool
) -> Hashable:
    """What the rules can still see of a live attempt of the current group.

    *At work*: how its end is decided (its budget, whether it was told to give up) and
    whether its time is watched. That it has reported its start changes no decision.
    *Pending or waiting*: its budget, its timer, whether the group may do without it.
    *Awaiting*: who approved so far, and whether an option may answer for people (S8.1).
    *Parked*: whether it may be retried. *Finished*: nothing, unless it may be revived:
    then whether it failed, stopped the group, or was swept, and what a rerun would meet.
    """
    match attempt.status:
        case AttemptStatus.QUEUED | AttemptStatus.IN_PROGRESS:
            return ("active", retry, attempt.due_at_ms is not None, attempt.cancel_requested)
        case AttemptStatus.PENDING | AttemptStatus.WAITING_TO_RETRY:
            return (attempt.status, retry, attempt.due_at_ms is not None, has_run)
        case AttemptStatus.APPROVAL_AWAITING:
            assert attempt.approval is not None, f"{attempt.id!r} was never asked about"
            timed = attempt.due_at_ms is not None
            return ("awaiting", retry, timed, attempt.approval.approvers, attempt.held)
        case _ if attempt.parked:
            return ("parked", retry, attempt.terminal, attempt.plan_refused)
        case _:
            return _finished(attempt, retry, has_run, stopping=stopping) if recall else DONE


def _finished(attempt: Attempt, retry: Hashable, has_run: Hashable, *, stopping: bool) -> Hashable:
    """What a rerun, or a stop that comes before one, would make of it (S7.2, S10.5)."""
    overridable = attempt.directive == "retry-group" or attempt.reason == OVERTAKEN
    holds_up = attempt.failed or attempt.decided_stop or attempt.swept
    if not holds_up and (stopping or not overridable):
        return DONE
    return (
        *("ended", attempt.failed, attempt.decided_stop, attempt.swept, attempt.dispatched),
        *(attempt.directive == "retry-group", attempt.reason == OVERTAKEN),
        *(attempt.terminal, attempt.plan_refused, retry, has_run),
    )


# --- counters ---


def waits_alike(policy: RetryPolicy) -> bool:
    """Whether every retry waits or none does, whichever it is and whatever its name."""
    waits = {wait > 0 for wait in policy.backoff_ms}
    return len(waits) <= 1 and not depends_on_names(policy)


def depends_on_names(policy: RetryPolicy) -> bool:
    """Whether the name of an attempt decides if it waits: 1 ms becomes 0 or 1 (S2.2)."""
    return policy.jitter and 1 in policy.backoff_ms


def asks_to_wait(attempt: Attempt) -> bool:
    """Whether a failure asks for a wait of its own before the retry that it leads to (S2.2).

    Of an attempt whose group will be retried once all have ended, this is still to be seen.
    """
    error = None if attempt.result is None else attempt.result.error
    return error is not None and bool(error.retry_after_ms)


@frozen
class Budget:
    """What the rules compare a count of retries with; `told_apart`: with every number."""

    automatic: int
    most: int
    told_apart: bool


def budget_of_step(step: StepSpec, alphabet: Alphabet) -> Budget:
    """The budget of a step's own retries (S6.14, S6.16, S8.5, S8.11, S10.2)."""
    policy = step.retry
    automatic = policy.max_auto_retries if policy.scope == "step" else 0
    told_apart = alphabet.asks_for("retry") or not waits_alike(policy)
    return Budget(automatic, policy.max_retries, told_apart)


def budget_of_group(group: GroupSpec, alphabet: Alphabet) -> Budget:
    """The budget of a group's retries as a whole (S6.14, S10.8)."""
    policies = [step.retry for step in group.steps]
    automatic = max(0, *(p.max_auto_retries for p in policies if p.scope == "group"), 0)
    told_apart = alphabet.asks_for("retry-group") or not all(map(waits_alike, policies))
    return Budget(automatic, min(p.max_retries for p in policies), told_apart)


def saturated(count: int, budget: Budget, left: int) -> int:
    """Stop counting retries where no budget can tell the difference.

    The rules compare a count with `max_auto_retries` and with `max_retries` only. If, with
    all the retries that people have `left`, it cannot reach the second, then that comparison
    always comes out the same, and beyond the first no comparison differs any more. Where
    workers ask for retries on their own, or the length of a wait depends on the count so
    that some are none (S2.2), every number is kept.
    """
    if budget.told_apart or max(count, budget.automatic) + left >= budget.most:
        return count
    return min(count, budget.automatic)


def saturated_groups(state: FlowState) -> int:
    """Count finished groups only as far as continue-as-new does (S13.1)."""
    every = state.spec.options.continue_as_new_every
    return 0 if every is None else min(state.groups_since, every)


# --- the flow ---


def beyond_recall(state: FlowState) -> Hashable | None:
    """What is left of a flow that nothing can revive: how it ended, or what it waits for.

    A flow that was cancelled, or stopped with no rerun to come, dispatches nothing any more
    (S9.2, S7.2): its active attempts end, one by one and each as it likes, and only how many
    there are, and which timers they have, decides when it ends. A flow that has ended only
    refuses. Asked only without recall.
    """
    if state.outcome is not None:
        return ("over", state.outcome.status, state.outcome.reason)
    if state.cancellation is not None:
        due = state.cancellation.due_at_ms is not None
        return ("cancelling", state.active, due)
    if state.stop is None and state.generating != "failed":
        return None
    reason = None if state.stop is None else state.stop.reason
    timed = sum(a.active and a.due_at_ms is not None for a in state.current_attempts())
    return ("stopping", reason, state.active, timed, state.generating, state.suggested)


# --- siblings ---


def alike(
    group: GroupSpec,
    options: FlowOptions,
    alphabet: Alphabet,
    needed_by: Mapping[str, tuple[str, ...]],
    told_apart: frozenset[str],
) -> tuple[int, ...]:
    """Put the steps of a group into classes whose members may stand for one another.

    Members have equal declarations but for what no rule reads (key, work, input, name,
    metadata), all of them start at once (a limit would start them in order), and nothing
    tells them apart: no property that names one, and of those whose approval later steps
    rely on, no later step that needs one and not the other. Exchanging two members then
    turns every future of a state into a future of the exchanged state, and every answer of
    a property into the same answer.

    Where an approval may be open, people may look at the order of the steps. What comes behind
    one that they skip with its dependents is found out by `arrangements`, if all members are
    alike and need the same; otherwise, and where they may skip one along with another that
    failed (S10.4), no two members are alike. Nor are they where people may retry one that
    failed from an earlier one on (S10.3), since which others that takes along goes by order.
    """
    alone = tuple(range(len(group.steps)))
    limit = group.max_parallel or options.max_parallel
    if not group.parallel or (limit is not None and limit < len(group.steps)):
        return alone
    ordered = looks_at_order(group, alphabet)
    if ordered and "skip-along" in alphabet.operations:
        return alone
    if alphabet.reruns and FROM_PLAN in alphabet.operations:
        return alone
    first: dict[Hashable, int] = {}
    classes: list[int] = []
    for index, step in enumerate(group.steps):
        same: Hashable = (
            evolve(step, key="", work=None, name=None, input=None, metadata=None, needs=()),
            needed_by.get(step.key) if alphabet.may_ask_people(step) else None,
        )
        if step.key in told_apart or not waits_alike(step.retry):
            same = index
        classes.append(first.setdefault(same, index))
    if ordered and (len(first) > 1 or len({step.needs for step in group.steps}) > 1):
        return alone
    return tuple(classes)


def looks_at_order(group: GroupSpec, alphabet: Alphabet) -> bool:
    """Whether people may do what depends on the order of siblings (S8.10, S10.4)."""
    if not any(alphabet.may_ask_people(step) for step in group.steps):
        return False
    return SKIP_DEPENDENTS in alphabet.answers or "skip-along" in alphabet.operations
