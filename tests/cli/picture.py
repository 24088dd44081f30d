"""Take the picture of a terminal in the README anew: `python -m tests.cli.picture`.

Rule: a real run in a real terminal, as somebody would see it. The picture holds letters, not their
shapes, and loads nothing: letters are those of the machine that shows it.
"""

from __future__ import annotations

import io
import re
import tempfile
from html import unescape
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from tests.cli.tmux import CONDUCTOR, Tmux
from tests.documents import ROOT

PICTURE: Final = ROOT / "docs" / "pictures" / "terminal.svg"
TYPED: Final = "conductor run deploy.yaml --flow-id deploy-42 --by ana"
COLUMNS: Final = 124
# Nothing moves on while the picture is taken.
FLOW: Final = """\
flow: deploy
groups:
  - key: network
    steps:
      - key: plan
        run: |
          sleep 1.2
          echo '{"subject": "sha256:2c26b4", "output": {"add": 3, "drop": 0}}' > $CONDUCTOR_RESULT
        approval: {approvers: [ana, bo], timeout_ms: 86400000}
      - {key: apply, run: sleep 0.8; echo 3 added, needs: [plan]}
  - key: services
    parallel: true
    steps:
      - {key: api, name: Roll out the API, run: sleep 60, timeout_ms: 120000}
      - key: web
        name: Roll out the site
        run: sleep 0.4; echo 1 of 3 replicas is not ready; exit 3
        retry: {max_auto_retries: 1, backoff_ms: [59000], jitter: false}
  - key: check
    steps:
      - {key: smoke, run: sleep 1}
"""
_FONT: Final = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
_LETTERS: Final = re.compile(r'<text [^>]*y="(?P<y>[\d.]+)"[^>]*>(?P<text>[^<]*)</text>')
_TIMES: Final = re.compile(r"\d+\.\d\ds|\d+(\.\d+)? (s|min \d+ s|min)\b")


def seen(folder: Path) -> str:
    """What stands on the terminal while one service is rolled out and the other is tried again."""
    (folder / "deploy.yaml").write_text(FLOW, encoding="utf-8")
    command = f"echo '$ {TYPED}'; {TYPED.replace('conductor', CONDUCTOR, 1)}"
    with Tmux(command, folder, columns=COLUMNS, lines=40) as terminal:
        terminal.wait_for(r"retry\?$")
        terminal.type("approve as agreed", "Enter")
        terminal.wait_for(r"● api#1 .* runs(.|\n)*✗ web#1(.|\n)*↻ web#2")
        screen = terminal.screen("-e")
        for _ in range(2):
            terminal.type("C-c")
            terminal.wait_for("^stopping: ")
        terminal.wait_for("^exit code 1$")
    return screen


def drawn(screen: str) -> str:
    """A screen, with its escape sequences, as an SVG that needs no network."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(screen))
    # An id of its own would be made of all the text, and so of the times.
    svg = console.export_svg(title=TYPED, unique_id="terminal")
    return "\n".join(line.rstrip() for line in _FONT.sub("", svg).splitlines()) + "\n"


def lines_of(svg: str) -> list[str]:
    """The lines of text in a picture, without times, and without the room for these."""
    rows: dict[float, str] = {}
    for letters in _LETTERS.finditer(svg):
        y = float(letters["y"])
        rows[y] = rows.get(y, "") + unescape(letters["text"])
    lines = (re.sub(r"\s+", " ", rows[y]) for y in sorted(rows))
    return [re.sub(" +", " ", _TIMES.sub("T", line)).rstrip() for line in lines]


def looks_of(svg: str) -> str:
    """The rules for the looks of a picture."""
    return svg.partition("<style>")[2].partition("</style>")[0]


def main() -> None:
    """Take it."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(drawn(seen(Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    main()
