"""Write the reference pages: `python -m docs.generating`."""

from __future__ import annotations

from docs.generating.pages import FOLDER, MAKERS

for name, make in MAKERS.items():
    (FOLDER / name).write_text(make(), encoding="utf-8")
    print(f"wrote {name}")
