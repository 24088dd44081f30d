"""`conductor run` on a terminal that somebody watches: progress, prompts, and a sane end.

Rule: steps wait for files that the tests make, and the tests for what is on the screen.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.tmux import CONDUCTOR, PATIENCE_S, POLL_S, Tmux, needs_tmux

pytestmark = needs_tmux

RUN = "./conductor run flow.yaml --by ana --flow-id deploy-42"
AWAIT = "while [ ! -e {} ]; do sleep 0.05; done"
DEPLOY = f"""
flow: deploy
groups:
  - key: network
    steps:
      - key: plan
        run: cp result.json $CONDUCTOR_RESULT
        approval: {{approvers: [ana, bo]}}
      - {{key: apply, run: echo applied, needs: [plan]}}
  - key: checks
    parallel: true
    steps:
      - {{key: lint, name: Look at the style, run: "{AWAIT.format("linted")}"}}
      - key: unit
        run: "[ -e again ] || {{ touch again; exit 3; }}"
        retry: {{max_auto_retries: 1, backoff_ms: [10], jitter: false}}
  - key: publish
    steps:
      - {{key: copy, run: "{AWAIT.format("copied")}"}}
"""
SLOW = DEPLOY.replace("[10]", "[59000]")
"""The same flow, which is not retried while a test looks at it."""
RESULT = '{"subject": "sha256:2c26b4", "output": {"add": 3, "text": "one\\ntwo"}}'
GATED = f"groups: [{{key: g, steps: [{{key: a, run: 'echo ready; {AWAIT.format('go')}'}}]}}]"
TIMES = re.compile(r"\d+(\.\d)? s\b")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a flow, what its plan says, and a short name for the command."""
    (tmp_path / "conductor").write_text(f'#!/bin/sh\nexec {CONDUCTOR} "$@"\n', encoding="utf-8")
    (tmp_path / "conductor").chmod(0o755)
    (tmp_path / "flow.yaml").write_text(DEPLOY, encoding="utf-8")
    (tmp_path / "result.json").write_text(RESULT, encoding="utf-8")
    yield tmp_path
    # What a run that was killed left behind goes on, and ends.
    for name in ("go", "linted", "copied"):
        (tmp_path / name).touch()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(POLL_S)


def alive(process: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def gated(folder: Path) -> None:
    """Let the flow be one step that waits for the file `go`."""
    (folder / "flow.yaml").write_text(GATED, encoding="utf-8")


def stop(terminal: Tmux) -> None:
    """Have the run stop at once."""
    terminal.type("C-c")
    terminal.wait_for("^stopping: ")
    terminal.type("C-c")
    terminal.wait_for("^exit code 1$")


def masked(text: str) -> list[str]:
    """Lines with a mark for every time, and without the room that is left for it."""
    return [re.sub(" +", " ", TIMES.sub("T", line)).rstrip() for line in text.splitlines()]


def test_somebody_approves_what_is_shown_and_sees_what_follows(folder: Path) -> None:
    """The question takes the place of the view, which then shows a retry wait and work go on."""
    (folder / "flow.yaml").write_text(SLOW, encoding="utf-8")
    with Tmux(RUN, folder) as terminal:
        screen = terminal.wait_for(r"plan#1 \(as ana\): approve/deny/skip/retry\?$")
        assert "  subject: sha256:2c26b4\n  add: 3\n  text:\n    one\n    two\n" in screen
        assert "0 of 1 approvals; may be approved by ana or bo" in screen
        assert "in-progress" not in screen
        terminal.type("approve as agreed", "Enter")
        screen = terminal.wait_for(r"● lint#1 .* runs(.|\n)*↻ unit#2 +waits, retries in \d+ s$")
        assert "ana approves plan: as agreed -> dispatch apply#1" in screen
        assert masked(screen)[-7:] == [
            "flow deploy-42: in-progress, T",
            "✓ network T 2 steps",
            "● checks T 0 of 2 steps finished, 1 retry",
            " ● lint#1 T runs, Look at the style",
            " ✗ unit#1 T error: exit-status: exit status 3",
            " ↻ unit#2 waits, retries in T",
            "· publish 1 step",
        ]
        stop(terminal)


def test_a_run_is_watched_to_its_end(folder: Path) -> None:
    """A summary stays of what was watched."""
    with Tmux(f"{RUN} --approve plan", folder) as terminal:
        terminal.wait_for(r"✓ unit#2 +\d\.\d s  success$")
        (folder / "linted").touch()
        terminal.wait_for(r"● copy#1 +\d\.\d s  runs$")
        (folder / "copied").touch()
        screen = terminal.wait_for("^exit code 0$")
        assert masked(screen)[-11:] == [
            "flow deploy-42: success, T",
            "✓ network T 2 steps",
            " ✓ plan#1 T success",
            " ✓ apply#1 T success",
            "✓ checks T 2 steps, 1 retry",
            " ✓ lint#1 T success, Look at the style",
            " ✗ unit#1 T error: exit-status: exit status 3",
            " ✓ unit#2 T success",
            "✓ publish T 1 step",
            " ✓ copy#1 T success",
            "exit code 0",
        ]
        everything = terminal.everything()
        assert everything.count("flow deploy-42: ") == 1
        assert everything.count(" -> flow success\n") == 1


def test_times_go_on_while_nothing_happens(folder: Path) -> None:
    """The view is alive: what takes long takes visibly longer."""
    gated(folder)
    with Tmux(RUN, folder) as terminal:
        terminal.wait_for(r"● a#1  0\.\d s  runs$")
        terminal.wait_for(r"● a#1  1\.\d s  runs$")
        (folder / "go").touch()
        terminal.wait_for("^exit code 0$")


def test_a_small_terminal_is_not_overfilled(folder: Path) -> None:
    """On 40 columns and 12 lines the view takes seven lines, cut, and some output is seen."""
    (folder / "flow.yaml").write_text(SLOW, encoding="utf-8")
    with Tmux(f"{RUN} --approve plan", folder, columns=40, lines=12) as terminal:
        screen = terminal.wait_for(r"● lint#1(.|\n)*↻ unit#2 (.|\n)*· publish ")
        head, *rows = screen[screen.index("flow deploy-42: in-progress") :].splitlines()
        assert [line[:10] for line in rows] == [
            "✓ network ", "● checks  ", "  ● lint#1", "  ✗ unit#1", "  ↻ unit#2", "· publish "
        ]  # fmt: skip
        assert all(len(line) < 40 for line in (head, *rows))
        stop(terminal)


def test_a_summary_fits_a_small_terminal(folder: Path) -> None:
    """All is shown if there are the lines for it, and what is too wide is cut."""
    for name in ("linted", "copied"):
        (folder / name).touch()
    with Tmux(f"{RUN} --approve plan", folder, columns=40, lines=12) as terminal:
        terminal.wait_for("^exit code 0$")
        *summary, _ = terminal.everything().partition("flow deploy-42: success")[2].splitlines()
        assert len(summary) == 10
        assert all(len(line) < 40 for line in summary)
        assert masked("\n".join(summary))[-4:] == [
            " ✗ unit#1 T error: exit-status…",
            " ✓ unit#2 T success",
            "✓ publish T 1 step",
            " ✓ copy#1 T success",
        ]


def test_of_two_hundred_steps_in_parallel_what_matters_is_shown(folder: Path) -> None:
    """Failures and what runs are named as far as there is room; the rest is counted."""
    steps = "".join(
        f"      - {{key: s{n}, run: '{run}', skip_on_failure: true}}\n"
        for n in range(200)
        for run in [AWAIT.format("go") if n >= 180 else f"exit {int(n % 60 == 7)}"]
    )
    flow = f"groups:\n  - key: many\n    parallel: true\n    max_parallel: 20\n    steps:\n{steps}"
    (folder / "flow.yaml").write_text(flow, encoding="utf-8")
    with Tmux(RUN, folder) as terminal:
        screen = terminal.wait_for("^  … 11 running, 177 done$")
        frame = masked(screen)[-15:]
        assert frame[:5] == [
            "flow deploy-42: in-progress, T",
            "● many T 180 of 200 steps finished, 3 failed",
            " ✗ s7#1 T error: exit-status: exit status 1",
            " ✗ s67#1 T error: exit-status: exit status 1",
            " ✗ s127#1 T error: exit-status: exit status 1",
        ]
        assert frame[5:-1] == [f" ● s{n}#1 T runs" for n in range(180, 189)]
        (folder / "go").touch()
        terminal.wait_for("^exit code 0$")
        assert terminal.everything().count("flow deploy-42: ") == 1


def test_a_window_may_be_resized(folder: Path) -> None:
    """The view takes the new size at once, and nothing of the old one stays behind."""
    with Tmux(f"{RUN} --approve plan", folder) as terminal:
        terminal.wait_for(r"lint#1 .* runs, Look at the style$")
        terminal.resize(30, 24)
        terminal.wait_for(r"lint#1 .* r.*…$")
        terminal.resize(100, 24)
        terminal.wait_for(r"lint#1 .* runs, Look at the style$")
        terminal.resize(100, 12)
        terminal.wait_for("^flow deploy-42: in-progress")
        (folder / "linted").touch()
        (folder / "copied").touch()
        terminal.wait_for("^exit code 0$")
        everything = terminal.everything()
        assert everything.count("flow deploy-42: ") == 1
        assert everything.count("publish") == 1
        assert everything.count("lint#1 succeeded") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_run_the_terminal_is_sane(folder: Path, number: int) -> None:
    """The cursor is visible and lines wrap, whether the run had the time for a summary or not."""
    gated(folder)
    with Tmux(f"sh -c 'echo $$ > pid; exec \"$@\"' run {RUN}", folder) as terminal:
        terminal.wait_for(r"● a#1 .* runs$")
        os.kill(int((folder / "pid").read_text()), number)
        if number != signal.SIGKILL:
            terminal.wait_for("interrupt once more")
            os.kill(int((folder / "pid").read_text()), number)
            terminal.wait_for("^flow deploy-42: in-progress when the run stopped")
            terminal.wait_for("- a#1 .* ran when the run stopped$")
        screen = terminal.wait_for("^exit code")
        assert terminal.told("#{cursor_flag} #{wrap_flag}") == "1 1"
        assert screen.count("flow deploy-42: ") == 1


def test_an_interrupt_from_the_keyboard_ends_a_run(folder: Path) -> None:
    """Ctrl-C is heard while the view moves, and what it writes on the screen does not stay."""
    gated(folder)
    with Tmux(RUN, folder) as terminal:
        terminal.wait_for(r"● a#1 .* runs$")
        stop(terminal)
        assert "^C" not in terminal.screen()


def test_a_run_that_goes_on_shows_what_was_done_before(folder: Path) -> None:
    """After kill -9 the next run says where it takes up the flow, and counts from there."""
    (folder / "flow.yaml").write_text(
        GATED.replace("[{key: a", "[{key: first, run: 'true'}, {key: a"), encoding="utf-8"
    )
    with Tmux(f"{RUN} --log log.jsonl & echo $! > pid; wait", folder) as terminal:
        terminal.wait_for(r"^           a#1 \| ready$")
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        terminal.wait_for("^exit code")
    with Tmux("./conductor run --resume log.jsonl", folder) as terminal:
        screen = terminal.wait_for(r"● a#1 .* runs$")
        assert "flow deploy-42 goes on: in-progress, 1 of 2 steps finished\n" in screen
        assert masked(screen)[-4:] == [
            "flow deploy-42: in-progress, T",
            "● g T 1 of 2 steps finished",
            " ✓ first#1 success",
            " ● a#1 T runs",
        ]
        (folder / "go").touch()
        terminal.wait_for("^exit code 0$")


def test_a_run_may_be_stopped_and_come_back(folder: Path) -> None:
    """After Ctrl-Z and fg the view goes on below what the shell wrote meanwhile."""
    gated(folder)
    with Tmux("PS1='$ ' sh -i", folder) as terminal:
        terminal.wait_for(r"^\$$")
        terminal.type(RUN, "Enter")
        terminal.wait_for(r"● a#1 .* runs$")
        terminal.type("C-z")
        terminal.wait_for("Stopped")
        terminal.type("echo in between", "Enter")
        terminal.wait_for("^in between$")
        terminal.type("fg", "Enter")
        terminal.wait_for(r"^\$ fg$(.|\n)*● a#1 .* runs$")
        (folder / "go").touch()
        screen = terminal.wait_for(r"✓ a#1 +\d+\.\d s  success\n\$$")
        assert "\nin between\n$ fg\n" in screen


def test_a_terminal_that_is_stopped_holds_nothing_up(folder: Path) -> None:
    """After Ctrl-S the flow goes on; Ctrl-Q shows what was missed."""
    steps = ", ".join(f"{{key: s{n}, run: 'seq 1 30 >&2'}}" for n in range(50))
    last = "{key: last, run: touch done}"
    flow = GATED.replace("}]}]", f"}}, {steps}, {last}]}}]")
    (folder / "flow.yaml").write_text(flow, encoding="utf-8")
    with Tmux(RUN, folder) as terminal:
        terminal.wait_for(r"● a#1 .* runs$")
        terminal.type("C-s")
        (folder / "go").touch()
        until((folder / "done").exists)
        assert "exit code" not in terminal.screen()
        terminal.type("C-q")
        terminal.wait_for("^exit code 0$")
        assert terminal.everything().count("| 30\n") == 50


def test_a_terminal_that_is_stopped_does_not_keep_a_run_from_its_end(folder: Path) -> None:
    """After Ctrl-S a run that has ended waits for Ctrl-Q, until two signals tell it not to."""
    steps = ", ".join(f"{{key: s{n}, run: 'seq 1 100'}}" for n in range(50))
    flow = GATED.replace("}]}]", f"}}, {steps}, {{key: last, run: touch done}}]}}]")
    (folder / "flow.yaml").write_text(flow, encoding="utf-8")
    with Tmux(f"sh -c 'echo $$ > pid; exec \"$@\"' run {RUN} --log log.jsonl", folder) as terminal:
        terminal.wait_for(r"● a#1 .* runs$")
        terminal.type("C-s")
        (folder / "go").touch()
        until(lambda: b'"closed"' in (folder / "log.jsonl").read_bytes()[-300:])
        process = int((folder / "pid").read_text())
        assert alive(process)
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
        until(lambda: not alive(process))
        terminal.type("C-q")
        terminal.wait_for("^exit code 0$")


@pytest.mark.parametrize("lines", [1, 40])
def test_below_a_large_plan_there_is_a_prompt(folder: Path, lines: int) -> None:
    """What a terminal does not take at once is not left lying, with the question behind it."""
    command = f"yes {'x' * (20_000 // lines)} | head -n {lines}; echo end of plan"
    step = f"{{key: plan, run: '{command}', approval: true}}"
    (folder / "flow.yaml").write_text(f"groups: [{{key: g, steps: [{step}]}}]", encoding="utf-8")
    with Tmux(RUN, folder) as terminal:
        terminal.wait_for(r"plan#1 \(as ana\): approve/deny/skip/retry\?$")
        terminal.type("approve", "Enter")
        terminal.wait_for("^exit code 0$")


def test_what_python_code_prints_scrolls_above(folder: Path) -> None:
    """Prints of handlers, from threads too, are escaped and neither overwritten nor torn."""
    (folder / "work.py").write_text(
        "import asyncio, os, sys, time\n"
        "def thread(context):\n"
        "    for n in range(20):\n"
        "        print('from a thread', n, flush=True)\n"
        "        time.sleep(0.02)\n"
        "    sys.stdout.write('no end')\n"
        "async def loop(context):\n"
        "    for n in range(20):\n"
        "        print('from the loop', n, '\\x1b[2J', file=sys.stderr)\n"
        "        await asyncio.sleep(0.02)\n"
        "handlers = {'thread': thread, 'loop': loop}\n",
        encoding="utf-8",
    )
    (folder / "flow.yaml").write_text(
        "groups: [{key: g, parallel: true, steps: [{key: thread}, {key: loop}]}]", encoding="utf-8"
    )
    with Tmux(f"{RUN} --handlers work", folder, lines=60) as terminal:
        screen = terminal.wait_for("^exit code 0$")
        for n in range(20):
            assert screen.count(f"from a thread {n}\n") == 1
            assert screen.count(f"from the loop {n} \\x1b[2J\n") == 1
        assert screen.count("no end\n") == 1
        assert screen.count("flow deploy-42: ") == 1


def test_without_colours_and_without_unicode(folder: Path) -> None:
    """NO_COLOR takes the colours, a C locale all that is not ASCII; the view stays."""
    gated(folder)
    command = f"env NO_COLOR=1 LC_ALL=C {RUN}"
    with Tmux(command, folder) as terminal:
        terminal.wait_for(r"\* a#1 .* runs$")
        (folder / "go").touch()
        terminal.wait_for(r"^  \+ a#1 +\d+\.\d s  success$")
        coloured = terminal.screen("-e")
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", coloured)
    (folder / "go").unlink()
    with Tmux(RUN, folder) as terminal:
        terminal.wait_for(r"● a#1 .* runs$")
        assert re.search(r"\x1b\[[0-9;]*36m●", terminal.screen("-e"))


def test_a_dumb_terminal_gets_lines_alone(folder: Path) -> None:
    """Nothing moves where TERM says that nothing can."""
    gated(folder)
    (folder / "go").touch()
    with Tmux(f"env TERM=dumb {RUN}", folder) as terminal:
        screen = terminal.wait_for("^exit code 0$")
        assert screen.splitlines()[-2] == "flow deploy-42: success"
        assert "a#1  " not in screen
