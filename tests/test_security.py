"""SECURITY.md: what runs nothing runs nothing, whatever it is given to read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conductor_adapters.cli.main import COMMANDS
from tests.documents import LINK, ROOT, sh

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
FLOW = """
flow: deploy
groups:
  - key: network
    steps:
      - {key: plan, run: touch ran-plan, approval: true}
      - {key: apply, run: touch ran-apply, needs: [plan]}
"""
CHECKS = """
format: conductor-checks/1
claims:
  - {name: an end, sometimes: {flow: success}}
"""
SCENARIO = """
format: conductor-scenario/1
scenarios:
  - name: it waits
    flow:
      groups:
        - key: network
          steps: [{key: plan, run: touch ran-plan, approval: true}]
    expect: {flow: approval-awaiting}
"""
FAILED = '{"type": "step-finished", "attempt": "plan#1", "outcome": "failed"}'
# Modules that somebody left in the folder where the commands are typed.
LEFT_HERE = ("handlers", "msgspec", "yaml", "rules", "conductor")
LOOKS = f"""
init new.yaml
schema flow
explain flow.yaml
graph flow.yaml --format svg
check flow.yaml
check flow.yaml --checks checks.yaml
diff flow.yaml flow.yaml
scenario run flow.scenario.yaml
replay run.jsonl
replay run.jsonl run.jsonl
explain run.jsonl
graph run.jsonl
diff run.jsonl run.jsonl
what-if run.jsonl --at 2 --event '{FAILED}'
shrink run.jsonl --keep status:approval-awaiting
html run.jsonl -o page.html
export run.jsonl --format cloudevents -o events.jsonl
import run.jsonl --store flows.db
list --store flows.db
status deploy-1 --store flows.db
explain deploy-1 --store flows.db
log deploy-1 --store flows.db -o taken.jsonl
approve deploy-1 plan --by ana --store flows.db
pause deploy-1 --by ana --store flows.db
resume deploy-1 --by ana --store flows.db
cancel deploy-1 --by ana --store flows.db
start flow.yaml --flow-id deploy-2 --store flows.db
backup copy.db --store flows.db
vacuum --older-than 1d --store flows.db
completion zsh
""".strip().splitlines()
BEGINNINGS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
WATCHED = f"""
import contextlib, io, shlex, sys

begun = []
sys.addaudithook(lambda event, _: begun.append(event) if event in {BEGINNINGS!r} else None)
from conductor_adapters.cli.main import conductor

for line in sys.stdin.read().splitlines():
    try:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            code = conductor.main(shlex.split(line), standalone_mode=False, prog_name="conductor")
    except BaseException as error:
        code = repr(error)
    print("told", line, code, begun, sep=" | ")
    begun.clear()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow, a log of it that waits, and modules that lie in wait."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "checks.yaml").write_text(CHECKS)
    (tmp_path / "flow.scenario.yaml").write_text(SCENARIO)
    ran = sh(tmp_path, "conductor run flow.yaml --flow-id deploy-1 --log run.jsonl --no-input")
    assert ran.returncode == 3, ran.stdout
    (tmp_path / "ran-plan").unlink()
    for name in LEFT_HERE:
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w').close()\n")
    return tmp_path


def watched(folder: Path, lines: Sequence[str]) -> list[list[str]]:
    """What each command came to, and what it began, in a process that is watched."""
    ran = subprocess.run(
        # As the script does, which does not look for modules where it is typed.
        [sys.executable, "-P", "-c", WATCHED],
        cwd=folder, input="\n".join(lines), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    rows = [line.split(" | ") for line in ran.stdout.splitlines()]
    return [row[1:] for row in rows if row[0] == "told"]


def test_what_only_looks_runs_nothing(folder: Path) -> None:
    """No command of a flow, and no module that lies about, runs where none is to."""
    told = watched(folder, LOOKS)
    assert [line for line, *_ in told] == LOOKS
    # Code 3: a flow waits for a person.
    assert [row for row in told if row[1] not in ("0", "3", "None")] == []
    assert [row for row in told if row[2] != "[]"] == []
    assert [path.name for path in folder.glob("ran-*")] == []


def test_what_is_watched_would_show(folder: Path) -> None:
    """A command that runs something is seen."""
    run = "run flow.yaml --flow-id deploy-9 --no-input"
    [[_, _, begun]] = watched(folder, [run])
    assert "subprocess.Popen" in begun
    assert (folder / "ran-plan").exists()
    [[_, _, _]] = watched(folder, ["check flow.yaml --property rules:NOTHING"])
    assert (folder / "ran-rules").exists()


def test_what_is_named_is_there() -> None:
    """Every command that the table names, and every file that is linked to, is there."""
    rows = PAGE.partition("| command | what runs |")[2].partition("\n\n")[0].splitlines()
    cells = " ".join(row.split(" | ")[0] for row in rows)
    named = set(re.findall(r"`([a-z][a-z-]*)[` ]", cells))
    assert len(named) > 20
    assert named - set(COMMANDS) == set()
    links = [link for link in LINK.findall(PAGE) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_pickle_is_where_the_page_says() -> None:
    """No other module of ours imports what runs code when it reads."""
    found = {
        str(path.relative_to(ROOT))
        for package in ("conductor_core", "adapters/conductor_adapters")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        and {alias.name for alias in node.names} & {"pickle", "marshal", "shelve", "dill"}
    }
    assert found == {"conductor_core/checking/processes.py"}
