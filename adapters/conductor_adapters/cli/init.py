"""`conductor init`: write a small flow that runs at once and shows what flows can do.

Rule: nothing is overwritten, and what is written needs no more than a POSIX shell. What
stands behind `#|` is YAML too: without that mark it is still a flow that runs.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from conductor_adapters.cli.console import escaped, say, say_json
from conductor_core.errors import ConductorError

FLOW: Final = """\
# A flow for conductor. Try it:
#
#   conductor run {file} --approve plan
#
# The keys and what they mean: conductor schema. Lines behind #| are there to be tried.
flow: example

#|metadata:
#|  inputs: {{target: staging}} # conductor run {file} --set target=production

groups:
  # Groups run one after another, and so do the steps of a group.
  - key: change
    steps:
      - key: plan
        run: echo "3 to add, 1 to change"
        # The flow waits here until somebody approves.
        approval: true
        #|cwd: .
        #|env:
        #|  LEVEL: debug
        #|  FOLDER: {{from_env: HOME}} # taken from the environment when the step runs
      - key: apply
        run: echo "applied to ${{CONDUCTOR_INPUT_target:-staging}}"
        # It runs after plan and is given its output, in the file $CONDUCTOR_CONTEXT.
        needs: [plan]
        timeout_ms: 60000

  # The steps of a parallel group run together.
  - key: verify
    parallel: true
    steps:
      - key: smoke
        # It fails the first time, to show a retry: the file tells which one this is.
        run: |
          grep -q '"retry": *[1-9]' "$CONDUCTOR_CONTEXT" || {{ echo "not up yet"; exit 1; }}
          echo "it is up"
        retry: {{max_auto_retries: 2, backoff_ms: [500]}}
      - key: report
        run: echo "nobody complains"
        skip_on_failure: true
"""

COMMANDS: Final = (
    "conductor run {file}",
    "conductor run {file} --approve plan --log {log}",
    "conductor replay {log}",
)
"""What to try next, in this order."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="flow.yaml")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
def init(file: Path, as_json: bool) -> None:
    """Write a small commented flow to FILE, which must be new; flow.yaml by default."""
    if file.suffix.lower() == ".json":
        raise ConductorError(f"{file}: what is written is YAML, which no .json file holds")
    if not file.name:
        raise ConductorError(f"{file}: expected the name of a file")
    named, log = shlex.quote(str(file)), shlex.quote(str(file.with_suffix(".log.jsonl")))
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(FLOW.format(file=escaped(named)))
    except FileExistsError:
        raise ConductorError(f"{file}: exists, and is left as it is") from None
    except OSError as error:
        if file.is_file():
            file.unlink()
        raise ConductorError(f"{file}: {error.strerror or error}") from None
    following = [command.format(file=named, log=log) for command in COMMANDS]
    if as_json:
        say_json({"file": str(file), "next": following})
        return
    say(f"wrote {file}; try:")
    for command in following:
        say(f"  {command}")
