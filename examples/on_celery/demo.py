"""Releases this project on Celery: starts a broker, a store and two workers, and operates.

Run it where pyproject.toml is, as `make demo-celery` does. What it starts listens on loopback
only, and is gone when it ends. Everything it does to the flow are commands that you can type.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from celery import Celery

from examples.operating.typed import conductor, environment, told
from tests.services.postgres import Postgres
from tests.services.redis import Redis

FLOW = Path("examples/release/flow.yaml")
FOLDER = Path("dist-local")
FLOW_ID = "release-on-celery"
HOST = "demo"
LONGEST_S = "900"
LOG = FOLDER / f"{FLOW_ID}.conductor.jsonl"


def main() -> int:
    """Do all of it; 0 where the flow ended well and its log replays."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as stack:
        redis = stack.enter_context(Redis())
        os.environ["BROKER_URL"] = redis.url
        os.environ["CONDUCTOR_STORE"] = store(stack)
        print(f"broker {redis.url}, store {os.environ['CONDUCTOR_STORE']}", flush=True)
        for number in (1, 2):
            stack.enter_context(worker(number))
        conductor("start", str(FLOW), "--flow-id", FLOW_ID)
        conductor("wait", FLOW_ID, "--no-people", "--timeout", LONGEST_S)
        conductor("explain", FLOW_ID)
        conductor("approve", FLOW_ID, "plan", "--by", "demo")
        ended = conductor("wait", FLOW_ID, "--timeout", LONGEST_S)
        conductor("status", FLOW_ID)
        LOG.write_text(told("log", FLOW_ID), "utf-8")
    return ended or conductor("replay", str(LOG))


def store(stack: ExitStack) -> str:
    """PostgreSQL where it can be run, and otherwise a SQLite file."""
    missing = Postgres.missing()
    if missing is None:
        return stack.enter_context(Postgres()).new_database()
    print(f"no PostgreSQL ({missing}), so SQLite")
    path = FOLDER / f"{FLOW_ID}.db"
    for left in FOLDER.glob(f"{path.name}*"):
        left.unlink()
    return str(path)


@contextmanager
def worker(number: int) -> Generator[None]:
    """A Celery worker with two processes for work."""
    command = [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "examples.on_celery.flows", "worker"),
        *("--hostname", f"worker{number}@{HOST}", "--concurrency", "2", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle"),
    ]
    with subprocess.Popen(command, env=environment()) as process:
        try:
            while not app().control.ping([f"worker{number}@{HOST}"], timeout=0.5):
                if process.poll() is not None:
                    sys.exit(f"worker {number} ended with exit code {process.returncode}")
            yield
        finally:
            process.terminate()


def app() -> Celery:
    """A Celery app that knows the broker, for asking which workers are up."""
    return Celery(broker=os.environ["BROKER_URL"])


if __name__ == "__main__":
    sys.exit(main())
