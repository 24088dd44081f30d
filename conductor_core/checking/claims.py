"""The checks file (`conductor-checks/1`): an alphabet, and what is claimed of a flow.

    format: conductor-checks/1
    alphabet:
      reruns: 2
    claims:
    - name: nothing is applied before somebody looked at the plan
      never:
        step: apply
        status: [queued, in-progress]
        before:
          any: [{step: plan, approved: true}, {step: plan, status: user-skipped}]
    - leads-to: {from: {step: plan, status: approval-expired}, to: {flow: error}}

Rule: the format is closed, and read from decoded YAML or JSON. An unknown step, status or key
is a FormatError with its path; what could hold only by mistake is refused.

A claim has one of five kinds. Each is about all runs that the alphabet allows, from the
beginning of the flow through retries, reruns and continue-as-new:

- `always` C: C holds in every state; `never` C: in none; `sometimes` C: in one at least;
- `eventually` C: every fair run comes to a state in which C holds (`properties` says which
  runs are fair); `leads-to` {from: C, to: D}: wherever C holds, every fair run comes to D.

A condition is a mapping, of which every key must hold:

- `step`, a key or a list: of at least one of these steps the two that follow hold together;
- `status`, one or a list: its live attempt has one of these statuses;
- `approved`: the required approvals of its present subject are given, or an automatic decision
  is on record (`true`), or not (`false`);
- `flow`, one or a list: the flow has one of these statuses; `reason`: it ended with one of these;
- `before` C: C has held in no state so far, the present one included; `after` C: it has;
- `all`, `any`, a list of conditions, and `not`, a condition.

Only what a claim names must be told apart in the search, so that every other reduction holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from conductor_core import closed
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import conditions
from conductor_core.checking.alphabet import Alphabet
from conductor_core.checking.alphabet_format import alphabet_of, each_once, word_of
from conductor_core.checking.conditions import REASONS, Condition, history_of, mentioned, predicate
from conductor_core.checking.defaults import default_alphabet
from conductor_core.checking.properties import (
    Property,
    always,
    eventually,
    leads_to,
    never,
    sometimes,
)
from conductor_core.checking.theorems import THEOREMS
from conductor_core.errors import FormatError, Problem, shown
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FLOW_STATUSES

FORMAT: Final = "conductor-checks/1"
OF_STATES: Final[Mapping[str, Callable[..., Property]]] = {
    "always": always,
    "never": never,
    "sometimes": sometimes,
}
KINDS: Final = (*OF_STATES, "eventually", "leads-to")
STEP_STATUSES: Final = tuple(status.value for status in AttemptStatus)

Steps: TypeAlias = Mapping[str, StepSpec]


@frozen(kw_only=True)
class Checks:
    """What a checks file says: what may happen, and what is claimed of it."""

    alphabet: Alphabet
    claims: tuple[Property, ...] = ()


def decode_checks(data: object, *, spec: FlowSpec) -> Checks:
    """Read the decoded data of a checks file for a flow; raises FormatError."""
    # The format comes first: what another version allows is not for this one to judge.
    found = closed.mapping(data, "").get("format", FORMAT)
    if found != FORMAT:
        raise closed.wrong("format", f"the format {FORMAT!r}", found)
    readers = {"format": closed.text, "alphabet": alphabet_of(spec), "claims": _left_for_later}
    values, problems = closed.sift(data, "", readers, required=("format",))
    alphabet = values.get("alphabet", default_alphabet(spec))
    claims: tuple[Property, ...] = ()
    # Which steps there are is known only once the alphabet is.
    try:
        claims = _claims_of(spec, alphabet)(values.get("claims", []), "claims")
    except FormatError as error:
        problems += error.problems
    closed.tell(problems)
    return Checks(alphabet=alphabet, claims=claims)


def _left_for_later(data: object, _: str) -> object:
    return data


# --- claims ---


def _claims_of(spec: FlowSpec, alphabet: Alphabet) -> closed.Reader[tuple[Property, ...]]:
    """A reader of claims, each of which has a name of its own."""
    groups = (*spec.groups, *alphabet.generated, *alphabet.appended)
    steps = {step.key: step for group in groups for step in group.steps}
    condition = _condition_of(steps, alphabet)

    def read(data: object, path: str) -> tuple[Property, ...]:
        taken = {theorem.name: "that of a theorem" for theorem in THEOREMS}

        def read_claim(item: object, place: str) -> Property:
            claim = _claim(item, place, condition, spec)
            here = f"that of {place}"
            first = taken.setdefault(claim.name, here)
            if first != here:
                raise FormatError(place, f"the name {shown(claim.name)} is taken: it is {first}")
            return claim

        return tuple(closed.list_of(read_claim)(data, path))

    return read


def _claim(
    data: object, path: str, condition: closed.Reader[Condition], spec: FlowSpec
) -> Property:
    """Read one claim: of exactly one kind, with a name if it is to have one."""
    readers: dict[str, closed.Reader[Any]] = dict.fromkeys(KINDS, condition)
    readers |= {"name": closed.name, "leads-to": _way_of(condition)}
    values, problems = closed.sift(data, path, readers)
    given = [kind for kind in KINDS if kind in closed.mapping(data, path)]
    if len(given) > 1 or not (given or problems):
        told = " and ".join(given) or "none"
        problems.append((path, f"expected one of {', '.join(KINDS)}, got {told}"))
    closed.tell(problems)
    return _property(given[0], values[given[0]], values.get("name"), spec)


def _way_of(
    condition: closed.Reader[Condition],
) -> closed.Reader[tuple[Condition, Condition]]:
    """A reader of where a run leads from, and to."""
    ends = {"from": condition, "to": condition}

    def read(data: object, path: str) -> tuple[Condition, Condition]:
        way = closed.fields(data, path, ends, required=ends)
        return way["from"], way["to"]

    return read


def _property(kind: str, said: Any, name: str | None, spec: FlowSpec) -> Property:
    """The property that a claim of some kind states; its text is its name if it has none."""
    parts: tuple[Condition, ...] = said if kind == "leads-to" else (said,)
    says = f"{kind.replace('-', ' ')}: {' -> '.join(part.says for part in parts)}"
    start, goal = predicate(parts[0]), predicate(parts[-1])
    looks: dict[str, Any] = {"about": mentioned(parts), "history": history_of(parts, spec)}
    claim: Property
    if kind == "leads-to":
        claim = leads_to(name or says, start, goal, **looks)
    elif kind == "eventually":
        claim = eventually(name or says, goal, **looks)
    else:
        claim = OF_STATES[kind](name or says, goal, **looks)
    return evolve(claim, statement=says)


# --- conditions ---


def _condition_of(steps: Steps, alphabet: Alphabet) -> closed.Reader[Condition]:
    """A reader of conditions on the steps that there may be."""

    def read(data: object, path: str) -> Condition:
        readers: dict[str, closed.Reader[Any]] = {
            "step": _one_or_more(word_of("step", steps)),
            "status": _one_or_more(word_of("status", STEP_STATUSES)),
            "approved": closed.flag,
            "flow": _one_or_more(word_of("status", FLOW_STATUSES)),
            "reason": _one_or_more(word_of("reason", REASONS)),
            "before": read,
            "after": read,
            "all": _some(read),
            "any": _some(read),
            "not": read,
        }
        values, problems = closed.sift(data, path, readers)
        given = closed.mapping(data, path)
        if not given:
            problems.append((path, f"expected a condition on {', '.join(readers)}, got {{}}"))
        problems += _step_problems(given, path)
        if "approved" in values:
            problems += _never_asked(values.get("step", ()), path, steps, alphabet)
        closed.tell(problems)
        return conditions.all_of(tuple(_parts(values)))

    return read


def _parts(values: Mapping[str, Any]) -> Iterable[Condition]:
    """What each key of a condition says; those about a step say it together."""
    if "step" in values:
        yield conditions.of_step(values["step"], values.get("status", ()), values.get("approved"))
    for key, meaning in MEANINGS.items():
        if key in values:
            yield meaning(values[key])


MEANINGS: Final[Mapping[str, Any]] = {
    "flow": conditions.of_flow,
    "reason": conditions.of_reason,
    "before": conditions.before,
    "after": conditions.after,
    "all": conditions.all_of,
    "any": conditions.any_of,
    "not": conditions.not_,
}


def _step_problems(given: Mapping[str, object], path: str) -> Iterable[Problem]:
    """Say what is missing of a condition on a step."""
    said = [key for key in ("status", "approved") if key in given]
    if "step" in given and not said:
        yield path, "missing key 'status' or 'approved': nothing is said of the step"
    if said and "step" not in given:
        yield path, f"{said[0]!r} does not go without 'step'"


def _never_asked(
    keys: tuple[str, ...], path: str, steps: Steps, alphabet: Alphabet
) -> Iterable[Problem]:
    """Name the steps about which nobody is ever asked."""
    for key in keys:
        if not alphabet.may_ask_people(steps[key]):
            yield closed.child(path, "approved"), f"step {shown(key)} has no approval"


def _one_or_more(reader: closed.Reader[str]) -> closed.Reader[tuple[str, ...]]:
    """A reader of one word, or of a list of at least one."""

    def read(data: object, path: str) -> tuple[str, ...]:
        if not isinstance(data, list):
            return (reader(data, path),)
        words = each_once(reader)(data, path)
        if not words:
            raise FormatError(path, "expected at least one, got []")
        return words

    return read


def _some(reader: closed.Reader[Condition]) -> closed.Reader[tuple[Condition, ...]]:
    """A reader of at least one condition."""

    def read(data: object, path: str) -> tuple[Condition, ...]:
        found = closed.list_of(reader)(data, path)
        if not found:
            raise FormatError(path, "expected at least one condition, got []")
        return tuple(found)

    return read
