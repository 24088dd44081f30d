"""What `conductor check` leaves behind: a certificate, and counterexamples to run again.

Rule: a file is there as a whole or not at all, and whether it can be written is known before
a search that may take an hour. A name is made from that of the claim, so that no claim
reaches outside the folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from conductor_core.checking import Checked, Finding
from conductor_core.errors import ConductorError
from conductor_core.loglines import SEMANTICS
from conductor_core.testing.scenario_text import yaml_of
from conductor_core.version import VERSION

UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")
LONGEST_NAME: Final = 80


@frozen(kw_only=True)
class Written:
    """A counterexample on disk; no scenario where virtual time would tell another story."""

    log: Path
    scenario: Path | None


def certificate_of(checked: Checked) -> dict[str, Any]:
    """What was looked at and found, and by which rules of which release."""
    return {**checked.certificate(), "core": VERSION, "semantics": SEMANTICS}


def write_certificate(path: Path, checked: Checked) -> None:
    """Write a certificate as JSON, in place of an older one."""
    write(path, f"{json.dumps(certificate_of(checked), indent=2)}\n")


def write_counterexamples(folder: Path, findings: Iterable[Finding]) -> dict[str, Written]:
    """Write every story of what is violated; tells by claim where it is."""
    written: dict[str, Written] = {}
    taken: set[str] = set()
    for finding in findings:
        if finding.verdict == "violated":
            name = _name(finding.name, taken)
            taken.add(name)
            written[finding.name] = _counterexample(folder, name, finding)
    return written


def _counterexample(folder: Path, name: str, finding: Finding) -> Written:
    assert finding.story is not None, "what is violated has a story"
    log = folder / f"{name}.conductor.jsonl"
    write(log, finding.story.log())
    data = finding.story.scenario(finding.name)
    if data is None:
        return Written(log=log, scenario=None)
    scenario = folder / f"{name}.scenario.yaml"
    write(scenario, yaml_of(data))
    return Written(log=log, scenario=scenario)


def _name(claim: str, taken: set[str]) -> str:
    """A name for files that nothing else has, also where case does not count."""
    plain = UNSAFE.sub("-", claim).strip("-").lower()[:LONGEST_NAME] or "claim"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def write(path: Path, text: str) -> None:
    """Put a text into the place of a file, all at once."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None


def check_certificate(path: Path | None) -> None:
    """Refuse a place where no certificate can be written."""
    if path is None:
        return
    if path.is_dir():
        raise ConductorError(f"--certificate: {path} is a folder, expected a file")
    if not os.access(path.parent, os.W_OK):
        raise ConductorError(f"--certificate: {path.parent} is no folder to write to")


def make_folder(path: Path | None) -> None:
    """Make the folder for counterexamples, unless it is there."""
    if path is None:
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConductorError(f"--counterexamples: {path}: {error.strerror or error}") from None
    if not os.access(path, os.W_OK):
        raise ConductorError(f"--counterexamples: {path} is no folder to write to")
