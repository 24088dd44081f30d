"""What `conductor check` leaves behind: a certificate, and counterexamples to run again.

Rule: a file is there as a whole or not at all, and whether it can be written is known before
a search that may take an hour. What is no plain file, or is read by this very check, is never
replaced. A name is made from that of the claim, so that no claim reaches outside the folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from conductor_adapters.cli.new_files import check_no_store, write
from conductor_core.checking import Finding
from conductor_core.errors import ConductorError
from conductor_core.testing.scenario_text import yaml_of
from conductor_core.testing.story_scenario import scenario_of

UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")
LONGEST_NAME: Final = 80


@frozen(kw_only=True)
class Written:
    """A counterexample on disk; no scenario where virtual time would tell another story."""

    log: Path
    scenario: Path | None


def write_certificate(path: Path, certificate: Mapping[str, Any]) -> None:
    """Write a certificate as JSON, in place of an older one."""
    write(path, f"{json.dumps(certificate, indent=2)}\n")


def names_of(claims: Iterable[str]) -> dict[str, str]:
    """A name for the files of each claim that nothing else has, also where case does not count."""
    names: dict[str, str] = {}
    for claim in claims:
        plain = UNSAFE.sub("-", claim).strip("-").lower()[:LONGEST_NAME] or "claim"
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}-{number}"
        names[claim] = name
    return names


def write_counterexamples(folder: Path, findings: Iterable[Finding]) -> dict[str, Written]:
    """Write every story of what is violated; tells by claim where it is."""
    findings = tuple(findings)
    names = names_of(finding.name for finding in findings)
    return {
        finding.name: _counterexample(folder, names[finding.name], finding)
        for finding in findings
        if finding.found == "violated"
    }


def _counterexample(folder: Path, name: str, finding: Finding) -> Written:
    assert finding.story is not None, "what is violated has a story"
    log, scenario = _files(folder, name)
    write(log, finding.story.log())
    data = scenario_of(finding.story, finding.name)
    if data is None:
        return Written(log=log, scenario=None)
    write(scenario, yaml_of(data))
    return Written(log=log, scenario=scenario)


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    """The log and the scenario of a counterexample."""
    return folder / f"{name}.conductor.jsonl", folder / f"{name}.scenario.yaml"


# --- what is refused ---


def check_certificate(path: Path | None, read: Mapping[Path, str]) -> None:
    """Refuse a place where no certificate can be written; `read` are the files in use."""
    if path is None:
        return
    if str(path) == "-":
        raise ConductorError("--certificate: standard output is not offered, expected a file")
    if path.is_dir():
        raise ConductorError(f"--certificate: {path} is a folder, expected a file")
    _check_place("--certificate", path, read)


def check_counterexamples(
    folder: Path | None, claims: Iterable[str], read: Mapping[Path, str]
) -> None:
    """Make the folder for counterexamples, unless it is there; refuse what would be lost in it."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConductorError(f"--counterexamples: {folder}: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK):
        raise ConductorError(f"--counterexamples: {folder} is no folder to write to")
    for name in names_of(claims).values():
        for path in _files(folder, name):
            _check_place("--counterexamples", path, read)


def _check_place(option: str, path: Path, read: Mapping[Path, str]) -> None:
    """Refuse to replace what is no plain file, or is in use, be it through links."""
    try:
        place = path.resolve()
        # Of a pipe that has no name in the file system the resolved path leads nowhere.
        if place.is_symlink() or (path.exists() and not path.is_file()):
            raise ConductorError(f"{option}: {path} is no regular file, expected one or none")
        parent = place.parent if path.is_symlink() else path.parent
        if not os.access(parent, os.W_OK):
            raise ConductorError(f"{option}: {parent} is no folder to write to")
        for known, what in read.items():
            if _are_the_same(path, known):
                raise ConductorError(f"{option}: {path} is {what}, expected another file")
        check_no_store(option, path)
        if path.exists() and _is_written_to(path):
            raise ConductorError(f"{option}: {path} is the standard output, expected another file")
    except (OSError, RuntimeError) as error:
        # A link that leads to itself is a RuntimeError or not, by the release of Python.
        problem = getattr(error, "strerror", None) or error
        raise ConductorError(f"{option}: {path}: {problem}") from None


def _are_the_same(path: Path, known: Path) -> bool:
    return path.exists() and known.exists() and path.samefile(known)


def _is_written_to(path: Path) -> bool:
    """Whether the standard output goes to this file."""
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(1))
    return False
