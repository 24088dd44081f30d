"""`conductor check`: look at every state that a flow can reach, within bounds.

Rule: nothing is run. Exit code 0 when all that was asked holds within the bounds, 1 when
something is violated, was never met or is undecided, 2 when a file or an option cannot be
used, 130 when Ctrl-C ended the search and nothing was violated so far.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve, frozen

from conductor_adapters.cli.check_choices import Choices, flow_of
from conductor_adapters.cli.check_claims import (
    Claim,
    imported_claims,
    read_checks,
    refuse_mistakes,
)
from conductor_adapters.cli.check_files import (
    check_certificate,
    check_counterexamples,
    write_certificate,
    write_counterexamples,
)
from conductor_adapters.cli.check_progress import MIB, Watch, watched_by_people
from conductor_adapters.cli.check_report import (
    MADE_UP,
    Result,
    are_made_up,
    as_data,
    certificate_of,
    error_as_data,
    told,
    told_bad,
    told_error,
)
from conductor_adapters.cli.console import INTERRUPTED, say, say_json, warn
from conductor_adapters.cli.cores import cores
from conductor_adapters.cli.search_options import (
    alphabet_options,
    bounds_options,
    check_memory,
    driver_of,
)
from conductor_core.checking import THEOREMS, Alphabet, Property, Reductions, gate
from conductor_core.checking import check as checked
from conductor_core.checking.check import PredicateError
from conductor_core.checking.defaults import default_alphabet, full_alphabet
from conductor_core.checking.reductions import ALL, NONE
from conductor_core.errors import ConductorError
from conductor_core.spec import FlowSpec

REDUCTIONS: Final = {"all": ALL, "none": NONE}
FILE: Final = click.Path(path_type=Path)


@frozen(kw_only=True)
class Search:
    """What is asked of which flow, and how far to look."""

    spec: FlowSpec
    alphabet: Alphabet
    theorems: tuple[Property, ...]
    claims: tuple[Claim, ...]
    reductions: Reductions
    max_states: int
    max_memory_mib: int | None
    processes: int

    @property
    def names(self) -> Iterator[str]:
        """The names of all that is claimed, in the order in which it is told."""
        yield from (theorem.name for theorem in self.theorems)
        yield from (claim.property.name for claim in self.claims)


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--checks",
    type=FILE,
    metavar="FILE",
    help="What may happen, and what is claimed of the flow, as YAML or JSON.",
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="MODULE:NAME",
    help="A claim in Python; FILE.py:NAME will do too. May be repeated.",
)
@click.option(
    "--demand-subject",
    is_flag=True,
    help="Of the gate: an approval must name the subject that it approves.",
)
@alphabet_options
@bounds_options
@click.option(
    "--reduce",
    type=click.Choice([*REDUCTIONS]),
    default="all",
    show_default=True,
    help="Whether states that behave alike are taken as one.",
)
@click.option(
    "--certificate", type=FILE, metavar="FILE", help="Write what was looked at and found, as JSON."
)
@click.option(
    "--counterexamples",
    type=FILE,
    metavar="DIR",
    help="Write each violation as a log to replay and as a scenario to run.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell everything.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only what does not hold.")
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    file: Path,
    certificate: Path | None,
    counterexamples: Path | None,
    verbose: bool,
    quiet: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Look at every state that the flow in FILE can reach, and at what is true of them.

    Work may end in any way, people may answer, cancel, pause and rerun at any moment, and timers
    may fire: the options say what may happen and how often. What holds does so within these
    bounds, whatever the order of events. Claims of your own are checked with the built-in ones.
    """
    if quiet and verbose:
        raise ConductorError("-q and -v: expected one of the two")
    draws = watched_by_people() and not quiet
    try:
        # What modules of the user's print is no result.
        with redirect_stdout(sys.stderr):
            search = _search(flow_of(file), **asked)
            read = _files_read(file, **asked)
            check_certificate(certificate, read)
            check_counterexamples(counterexamples, search.names, read)
            check_memory(search.max_memory_mib)
            result = _searched(search, str(file), draws=draws)
        if certificate is not None:
            write_certificate(certificate, certificate_of(result))
        if counterexamples is not None:
            written = write_counterexamples(counterexamples, result.checked.findings)
            result = evolve(result, written=written)
        _tell(result, verbose=verbose, quiet=quiet, as_json=as_json)
    except PredicateError as error:
        if not as_json:
            raise ConductorError("\n".join(told_error(error))) from error
        say_json(error_as_data(str(file), error))
        ctx.exit(2)
    except KeyboardInterrupt:
        ctx.exit(INTERRUPTED)
    ctx.exit(_exit_code(result))


def _files_read(
    file: Path,
    *,
    checks: Path | None,
    generated: Path | None,
    appended: Path | None,
    properties: Iterable[str],
    **_: object,
) -> Mapping[Path, str]:
    """The files that are read, and what each is: nothing of them may be replaced."""
    modules = (Path(reference.rpartition(":")[0]) for reference in properties)
    read: dict[Path | None, str] = {
        file: "the flow that is checked",
        checks: "the checks file",
        generated: "the flow of --generated",
        appended: "the flow of --appended",
    }
    read |= {path: "the module of a claim" for path in modules if path.suffix == ".py"}
    return {path: what for path, what in read.items() if path is not None}


def _search(
    spec: FlowSpec,
    *,
    checks: Path | None,
    properties: tuple[str, ...],
    demand_subject: bool,
    full: bool,
    max_states: int,
    max_memory: int | None,
    processes: int | None,
    reduce: str,
    **choices: Any,
) -> Search:
    """What is asked, from the options; raises ConductorError."""
    alphabet, written = default_alphabet(spec), tuple[Claim, ...]()
    if checks is not None:
        alphabet, written = read_checks(checks, spec)
    if full:
        alphabet = full_alphabet(spec)
    alphabet = Choices(**choices).applied_to(alphabet, spec)
    claims = (*written, *imported_claims(properties))
    groups = (*spec.groups, *alphabet.generated, *alphabet.appended)
    refuse_mistakes(
        claims,
        steps=(step.key for group in groups for step in group.steps),
        taken=(theorem.name for theorem in THEOREMS),
    )
    return Search(
        spec=spec,
        alphabet=alphabet,
        theorems=tuple(_theorems(demand_subject=demand_subject)),
        claims=claims,
        reductions=REDUCTIONS[reduce],
        max_states=max_states,
        max_memory_mib=max_memory,
        processes=processes or cores(),
    )


def _theorems(*, demand_subject: bool) -> Iterator[Property]:
    """The built-in theorems, the gate as strict as is asked."""
    strict = gate(demand_subject=demand_subject)
    for theorem in THEOREMS:
        yield strict if theorem.name == strict.name else theorem


def _searched(search: Search, file: str, *, draws: bool) -> Result:
    """Search, as long as nothing says that it is enough."""
    most = search.max_memory_mib
    with Watch(max_memory=None if most is None else most * MIB, draws=draws) as watch:
        found = checked(
            search.spec,
            *(claim.property for claim in search.claims),
            alphabet=search.alphabet,
            theorems=search.theorems,
            reductions=search.reductions,
            max_states=search.max_states,
            driver=driver_of(search.processes),
            enough=watch.enough,
            progress=watch.progress,
        )
    return Result(
        file=file,
        checked=found,
        claims=search.claims,
        reductions=search.reductions,
        cause=watch.cause,
        max_memory_mib=most,
        processes=search.processes,
        seconds=watch.seconds,
        memory=watch.peak,
    )


def _tell(result: Result, *, verbose: bool, quiet: bool, as_json: bool) -> None:
    if (quiet or as_json) and are_made_up(result.checked):
        warn(f"{result.file}: {MADE_UP}")
    if as_json:
        say_json(as_data(result))
        return
    for line in _lines(result, verbose=verbose, quiet=quiet):
        say(line)


def _lines(result: Result, *, verbose: bool, quiet: bool) -> Iterator[str]:
    if not quiet:
        yield from told(result, detailed=verbose)
    elif result.bad:
        yield from told_bad(result, within="the bounds that are told without --quiet")


def _exit_code(result: Result) -> int:
    if not result.bad:
        return 0
    found = {finding.found for finding in result.bad}
    return INTERRUPTED if result.stopped_by == "interrupt" and found == {"undecided"} else 1
