"""Releases this project on Temporal: starts a server and a worker, and operates.

Run it where pyproject.toml is, as `make demo-temporal` does. What it starts listens on loopback
only, and is gone when it ends. Everything it does to the flow are commands that you can type.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from examples.operating.typed import command, conductor, environment, told
from tests.services.temporal import Temporal

FLOW = Path("examples/release/flow.yaml")
FOLDER = Path("dist-local")
FLOW_ID = "release-on-temporal"
LONGEST_S = "900"
LOG = FOLDER / f"{FLOW_ID}.conductor.jsonl"


def main() -> int:
    """Do all of it; 0 where the flow ended well and its log replays."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(Temporal())
        os.environ["TEMPORAL_ADDRESS"] = server.url
        print(f"server {server.url}", flush=True)
        stack.enter_context(worker())
        conductor("start", str(FLOW), "--flow-id", FLOW_ID, "--temporal")
        conductor("wait", FLOW_ID, "--no-people", "--timeout", LONGEST_S, "--temporal")
        conductor("status", FLOW_ID, "--temporal")
        conductor("approve", FLOW_ID, "plan", "--by", "demo", "--temporal")
        ended = conductor("wait", FLOW_ID, "--timeout", LONGEST_S, "--temporal")
        conductor("list", "--temporal")
        LOG.write_text(told("log", FLOW_ID, "--temporal"), "utf-8")
    return ended or conductor("replay", str(LOG))


@contextmanager
def worker() -> Generator[None]:
    """A worker of the commands of steps; the flow waits for it."""
    with subprocess.Popen(command("temporal", "worker"), env=environment()) as process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
