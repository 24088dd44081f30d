"""Take the pictures of docs/debugging anew: `python -m tests.debugger.screenshots`.

Rule: they show the small sample, and a store, as a reader would see them, in light and in dark;
letters are those of the machine that takes them.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.debugger.browser import Viewer, chromium
from tests.debugger.recordings import release
from tests.documents import ROOT
from tests.ui.pictures import take

FOLDER: Final = ROOT / "docs" / "debugging"
ENTRY: Final = 8
SIZE: Final = {"width": 1320, "height": 800}


def main() -> None:
    """Take all of them."""
    with TemporaryDirectory() as folder, chromium() as browser:
        viewer = Viewer(browser, Path(folder))
        for scheme in ("light", "dark"):
            with viewer.opened(
                release(), fragment=f"#entry={ENTRY}", color_scheme=scheme, viewport=SIZE
            ) as shown:
                shown.wait_for_timeout(800)
                shown.screenshot(path=FOLDER / f"page-{scheme}.png")
        take(browser, FOLDER)


if __name__ == "__main__":
    main()
