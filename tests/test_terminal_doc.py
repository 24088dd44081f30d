"""What docs/terminal.md shows is what was seen on a terminal; `python -m` this to see again."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from conductor_adapters.cli import live_marks
from conductor_adapters.cli.live_marks import Look
from tests.cli.tmux import CONDUCTOR, Tmux, needs_tmux
from tests.documents import BLOCK, LINK, ROOT

PATH = ROOT / "docs" / "terminal.md"
SCREEN = re.compile(
    r"(?<=^<!-- screen: )([\w ]+) -->\n```text\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL
)
TIMES = re.compile(r"\d+\.\d\ds|\d+(\.\d+)? s\b")
RUN = "conductor run deploy.yaml --flow-id deploy-42 --by ana"


AS_SHOWN: dict[str, str] = {}
UNHURRIED = {"sleep 8": "sleep 60", "[4000]": "[59000]"}
"""Nothing moves on while a test looks."""
SHORT = {"sleep 8": "sleep 0", "[4000]": "[10]"}


def watched(folder: Path, changes: dict[str, str], *options: str) -> Tmux:
    """Run the flow of the document on a terminal, with some texts in it replaced."""
    blocks = BLOCK.findall(PATH.read_text(encoding="utf-8"))
    (flow,) = (text for kind, text in blocks if kind == "yaml")
    for old, new in changes.items():
        assert old in flow
        flow = flow.replace(old, new)
    (folder / "deploy.yaml").write_text(flow, encoding="utf-8")
    (folder / "again").unlink(missing_ok=True)
    command = " ".join((RUN.replace("conductor", CONDUCTOR, 1), *options))
    return Tmux(command, folder, columns=100, lines=40)


def seen(folder: Path, slow: dict[str, str], quick: dict[str, str]) -> dict[str, str]:
    """What the flow of the document shows at each moment."""
    screens: dict[str, str] = {}
    with watched(folder, slow) as terminal:
        screens["a question"] = terminal.wait_for(r"retry\?$")
        terminal.type("approve as agreed", "Enter")
        progress = terminal.wait_for(r"● lint#1 .* runs(.|\n)*✗ unit#1(.|\n)*↻ unit#2")
        screens["progress"] = progress.partition("retry? approve as agreed\n")[2]
        for _ in range(2):
            terminal.type("C-c")
            terminal.wait_for("^stopping: ")
        terminal.wait_for("^exit code 1$")
    with watched(folder, quick, "--approve", "plan") as terminal:
        last = terminal.wait_for("^exit code 0$").partition("\nexit code")[0]
        screens["the end"] = last[last.index("flow deploy-42: success") :]
    return screens


def masked(screen: str) -> list[str]:
    """The lines of a screen without their times, and without the room for these."""
    return [re.sub(" +", " ", TIMES.sub("T", line)).rstrip() for line in screen.splitlines()]


@needs_tmux
def test_the_screens_are_as_shown(tmp_path: Path) -> None:
    """A question, progress and the end look like this, times aside."""
    shown = dict(SCREEN.findall(PATH.read_text(encoding="utf-8")))
    screens = seen(tmp_path, UNHURRIED, SHORT)
    assert shown.keys() == screens.keys()
    for name, screen in screens.items():
        assert masked(shown[name]) == masked(screen), name


def test_every_mark_is_explained() -> None:
    """The marks are those of the table, in both alphabets."""
    looks = {look for look in vars(live_marks).values() if isinstance(look, Look)}
    rows = re.findall(r"^\| `(\S+)` \| `(\S+)` \|", PATH.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == {(look.mark, look.plain) for look in looks}


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(PATH.read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if not (ROOT / "docs" / link).exists()]


def rewrite() -> None:
    """Put what is seen now into the document."""
    with tempfile.TemporaryDirectory() as folder:
        screens = seen(Path(folder), AS_SHOWN, AS_SHOWN)
    text = SCREEN.sub(
        lambda found: f"{found[1]} -->\n```text\n{screens[found[1]]}\n",
        PATH.read_text(encoding="utf-8"),
    )
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    rewrite()
