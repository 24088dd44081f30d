"""The reference pages are what the code makes of them, and their examples hold."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from conductor_adapters.cli.main import COMMANDS
from conductor_core import codec
from conductor_core.attempt import AttemptStatus
from docs.generating.catalogue import encoded, examples
from docs.generating.pages import FOLDER, made
from docs.generating.transitions import transitions

MADE = made()
EXAMPLES = list(examples())


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="signatures read otherwise on other Pythons"
)
@pytest.mark.parametrize("name", MADE)
def test_a_page_is_what_the_code_makes_of_it(name: str) -> None:
    """Whoever changed what a page is made from ran `python -m docs.generating`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name]


def test_no_other_pages_are_there() -> None:
    """A reference that nobody makes any more is gone."""
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=[kind.__name__ for kind, _ in EXAMPLES])
def test_an_example_is_one(kind: type, example: Any) -> None:
    """What is shown of an event or a command can be read again."""
    told = encoded(example)
    if kind in codec.EVENTS.values():
        assert codec.decode_event(told) == example
    else:
        assert codec.decode_command(told) == example
    assert json.dumps(told, ensure_ascii=False) in MADE["events.md"] + MADE["commands.md"]


def test_every_command_is_told() -> None:
    """The page of the command line has each of them."""
    told = set(re.findall(r"^### conductor ([a-z-]+)$", MADE["command-line.md"], re.MULTILINE))
    assert told == set(COMMANDS)


def test_every_status_of_an_attempt_is_come_to() -> None:
    """The flows that are searched for the diagrams lead everywhere."""
    seen = {status for pair in transitions()["attempt"] for status in pair}
    assert seen >= {str(status) for status in AttemptStatus}
