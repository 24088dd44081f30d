"""The claims that users make about their flow, in a file or in Python, and where each stands.

Rule: a claim that could only hold by mistake is refused: one about a step that the flow does
not have, one whose name another has. What a module or a predicate of the user's raises is told
as an error of the user's, with its line; a predicate's also with the way to where it raises.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from attrs import evolve, fields, frozen

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.documents import read_document
from conductor_core.checking import Alphabet, Property, always
from conductor_core.checking.claims import decode_checks
from conductor_core.checking.properties import (
    ANYWHERE,
    AnswerError,
    Invariant,
    LeadsTo,
    Sometimes,
    mistake_in,
)
from conductor_core.errors import ConductorError, FormatError, shown
from conductor_core.spec import FlowSpec

KINDS: Final = (Invariant, Sometimes, LeadsTo)
EXPECTED: Final = (
    "expected a property, a list of them, or a predicate of a state or of (before, event, after)"
)


@frozen
class Claim:
    """A property, and where it was written: `rules.py:12`, `checks.yaml:4`."""

    property: Property
    where: str


def read_checks(path: Path, spec: FlowSpec) -> tuple[Alphabet, tuple[Claim, ...]]:
    """What a checks file says may happen, and what it claims; raises ConductorError."""
    document = read_document(path)
    try:
        checks = decode_checks(document.data, spec=spec)
    except FormatError as error:
        raise document.refused(error.problems) from None
    if not checks.claims:
        warn(f"no claims in {path}")
    lines = (document.line_of(f"claims[{index}]") for index in range(len(checks.claims)))
    claims = zip(checks.claims, lines, strict=True)
    return checks.alphabet, tuple(Claim(claim, f"{path}:{line}") for claim, line in claims)


def imported_claims(references: Iterable[str]) -> Iterator[Claim]:
    """The claims that `MODULE:NAME` or `FILE.py:NAME` name; raises ConductorError."""
    references = list(references)
    if references and os.getcwd() not in sys.path:  # noqa: PTH109 - a string is wanted
        # What is here counts too, but stands in nobody's way.
        sys.path.append(os.getcwd())  # noqa: PTH109 - a string is wanted
    for reference in references:
        yield from _claims(reference)


def _claims(reference: str) -> Iterator[Claim]:
    target, _, name = reference.rpartition(":")
    if not target or not name:
        raise _error(reference, "expected MODULE:NAME or FILE.py:NAME")
    module = _imported(target, reference)
    if not hasattr(module, name):
        raise _error(reference, f"{target} has no {shown(name)}")
    found: Any = getattr(module, name)
    for claim in found if isinstance(found, list | tuple) else (found,):
        # What stands in a list mostly has a name of its own.
        own = next((key for key, value in vars(module).items() if value is claim), name)
        where = _where(module, own)
        guarded = _guarded(_property(claim, own, reference), where, module)
        yield Claim(guarded, where)


def _imported(target: str, reference: str) -> ModuleType:
    """A module by its name, or by its file."""
    try:
        if not target.endswith(".py"):
            return import_module(target)
        return _from_file(Path(target))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise _error(reference, _raised(error)) from error


def _raised(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _from_file(path: Path) -> ModuleType:
    # Not its own name: a file may be called like a module that somebody else needs.
    name = f"conductor-claims:{path.resolve()}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None, f"{path} ends as a module does"
    assert spec.loader is not None, f"{path} ends as a module does"
    module = importlib.util.module_from_spec(spec)
    # Classes of a module look for it there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _property(found: Any, name: str, reference: str) -> Property:
    """A property as it is, or that a predicate always holds."""
    if isinstance(found, KINDS):
        return found
    parameters = len(inspect.signature(found).parameters) if _is_predicate(found) else 0
    if parameters not in (1, 3):
        raise _error(reference, EXPECTED)
    name, about = getattr(found, "__name__", name), getattr(found, "about", ANYWHERE)
    claim = (
        always(name, found, about=about)
        if parameters == 1
        else always(name, transition=found, about=about)
    )
    told = inspect.getdoc(found) if inspect.isfunction(found) else None
    return evolve(claim, statement=f"always: {told.splitlines()[0]}") if told else claim


def _is_predicate(found: Any) -> bool:
    return callable(found) and not inspect.isclass(found)


def _error(reference: str, problem: str) -> ConductorError:
    return ConductorError(f"--property {reference}: {problem}")


# --- where ---


def _where(module: ModuleType, name: str) -> str:
    """The file and line in which a module gives a name its value."""
    file = getattr(module, "__file__", None)
    if file is None:
        return f"{module.__name__}:{name}"
    path = _nearby(file)
    line = _line_of(Path(file), name)
    return path if line is None else f"{path}:{line}"


def _nearby(file: str) -> str:
    """A path as one would write it here."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _line_of(path: Path, name: str) -> int | None:
    """The line of the last statement at the top of a module that defines a name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    lines = [node.lineno for node in tree.body if name in _defined(node)]
    return lines[-1] if lines else None


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            return


# --- what predicates raise ---


def _guarded(claim: Property, where: str, module: ModuleType) -> Property:
    """The claim, with errors of its functions told as errors of whoever wrote them."""

    def guard(function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: object) -> Any:
            try:
                return function(*arguments)
            except (Exception, SystemExit) as error:
                if isinstance(error, AnswerError):
                    raise ConductorError(f"{where}: {error}") from error
                raised = f"{shown(claim.name)} raised {_raised(error)}"
                raise ConductorError(f"{_place(error, module) or where}: {raised}") from error

        return guarded

    functions: dict[str, Any] = {
        field.name: guard(value)
        for field in fields(type(claim))
        if callable(value := getattr(claim, field.name))
    }
    history: Any = getattr(claim, "history", None)
    if history is not None:
        functions["history"] = evolve(history, after=guard(history.after))
    return evolve(claim, **functions)


def _place(error: BaseException, module: ModuleType) -> str | None:
    """The innermost line of a module that was at work when an error was raised."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals is vars(module):
            line = trace.tb_lineno
        trace = trace.tb_next
    return None if line is None else f"{_nearby(str(module.__file__))}:{line}"


# --- what is refused ---


def refuse_mistakes(claims: Iterable[Claim], *, steps: Iterable[str], taken: Iterable[str]) -> None:
    """Raise ConductorError for a name that is taken, and for a step that the flow has not."""
    steps = list(steps)
    owners = dict.fromkeys(taken, "a built-in theorem")
    for claim in claims:
        mistake = mistake_in(claim.property, steps=steps, owners=owners)
        if mistake is not None:
            raise ConductorError(f"{claim.where}: {mistake}")
        owners[claim.property.name] = claim.where
