"""Write the reference pages: `python -m docs.generating`."""

from __future__ import annotations

from docs.generating.pages import FOLDER, made

for name, text in made().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"wrote {name}")
