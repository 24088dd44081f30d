"""Several processes with one store append one after the other, and take no order twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from conductor_adapters.store import StoreError
from conductor_adapters.store.kept import log_lines
from conductor_core import StepSpec
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import Hand, Place

ROOT: Final = Path(__file__).parents[2]


APPENDING: Final = """
import sys
from functools import partial
from conductor_core import events
from tests.adapters.ledgers import Hand

hand = Hand(sys.argv[1])
for number in range(25):
    kind = (events.PauseRequested, events.ResumeRequested)[number % 2]
    request_id = f"{sys.argv[2]}-{number}"
    hand.feed(partial(kind, by=sys.argv[2], request_id=request_id))
"""


def test_processes_append_one_after_the_other(place: Place) -> None:
    """Every request of four processes stands in the log once, and the log replays."""
    hand = Hand(place)
    hand.start()
    run_together(APPENDING, place)
    lines = log_lines(hand.entries())
    assert replay(lines, flow_id="f").state == hand.state()
    said = [json.loads(line)["event"].get("request_id") for line in lines if '"seq"' in line]
    assert sorted(filter(None, said)) == sorted(f"{p}-{n}" for p in range(4) for n in range(25))


TAKING: Final = """
import sys
from pathlib import Path
from tests.adapters.ledgers import Clocks, worker

hand = worker(Path(sys.argv[1]), Clocks(), sys.argv[2], works="w", slots=3)
while True:
    hand.leases.held.clear()
    hand.leases.left_open()
    hand.do(lambda _: hand.leases.take_more())
    if not hand.taken():
        break
    print(*hand.taken(), sep="\\n")
"""


def test_no_order_is_taken_twice(tmp_path: Path) -> None:
    """By four processes that take what they get while leases hold."""
    path = tmp_path / "flows.db"
    steps = [f"s{number}" for number in range(200)]
    Hand(path).start(
        flow(group("g", *(StepSpec(key=key, work="w") for key in steps), parallel=True))
    )
    taken = [name for told in run_together(TAKING, path) for name in told.split()]
    assert sorted(taken) == sorted(f"{key}#1" for key in steps)


def run_together(program: str, place: Place) -> list[str]:
    """Run a program in four processes, each with a name of its own; what they print."""
    command = [sys.executable, "-c", program, str(place)]
    children = [
        subprocess.Popen([*command, str(n)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    told = [child.communicate(timeout=50)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    return told


def test_a_store_is_not_taken_into_a_fork(tmp_path: Path) -> None:
    """Two processes on one connection would ruin the file."""
    hand = Hand(tmp_path / "flows.db")
    hand.start()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            hand.state()
        except StoreError as error:
            os.write(tell, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(told, 1000).decode().endswith("it was opened in another process, before a fork")
    os.close(told)
    os.close(tell)
    assert hand.state().status == "in-progress"
