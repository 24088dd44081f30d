"""Masking: no secret is shown, however it is cut, and everything else is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor_adapters.masking import MASK, Secrets

# Few different letters, so that secrets overlap, repeat and begin again in each other.
LETTERS = st.text("ab\n\"\\é1/'", max_size=4)
OTHERS = st.text(max_size=3).filter(lambda text: "*" not in text and text.isprintable())


def in_pieces(secrets: Secrets, pieces: list[bytes]) -> list[bytes]:
    """What is shown of a stream after each of its pieces, and after its end."""
    masker = secrets.masker()
    return [*map(masker.feed, pieces), masker.flush()]


def written(part: str) -> set[str]:
    """The ways to write a character, or single quotes in a row."""
    if part.isascii() and part.isalnum():
        return {part}
    code = "".join(f"\\u{unit:04x}" for unit in memoryview(part.encode("utf-16")[2:]).cast("H"))
    ways = {part, code, code.upper().replace("\\U", "\\u"), json.dumps(part)[1:-1]}
    if part.isascii() and part.isprintable():
        ways.add("".join(f"\\{character}" for character in part))
    if part.startswith("'"):
        ways |= {part.replace("'", r"'\''"), part.replace("'", """'"'"'""")}
        ways |= {f"""'"{part}"'""", f"""'"{part}\""""}
    return ways


def forms(secret: str) -> set[bytes]:
    """The forms in which a secret is to be hidden; not those of its lines."""
    parts = re.findall("'+|[^']", secret)
    return {"".join(way).encode() for way in product(*map(written, parts))} - {b""}


def marked(data: bytes, needles: set[bytes], end: int | None = None) -> bytes:
    """The simplest way: mark every byte of every occurrence, and show a mask for each run."""
    hidden = [False] * len(data)
    for needle in needles:
        start = data.find(needle)
        while start != -1:
            hidden[start : start + len(needle)] = [True] * len(needle)
            start = data.find(needle, start + 1)
    shown = bytearray()
    for index, byte in enumerate(data[:end]):
        if not hidden[index]:
            shown.append(byte)
        elif index == 0 or not hidden[index - 1]:
            shown += MASK
    return bytes(shown)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], list[bytes]]:
    """Secrets, and pieces of a stream in which they are likely to occur, also in part."""
    secrets = draw(st.lists(LETTERS | OTHERS, max_size=4))
    whole = st.sampled_from(sorted(set().union(*map(forms, secrets)) or {b"x"}))
    part = st.builds(lambda form, end: form[:end], whole, st.integers(0, 9))
    data = b"".join(draw(st.lists(whole | part | LETTERS.map(str.encode) | st.binary(max_size=3))))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return secrets, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(streams())
@settings(deadline=None, max_examples=500)
@example((["abc", "cd"], [b"xabc", b"d"]))
@example((["aa"], [b"a", b"a", b"a"]))
@example((["ab", "abcd"], [b"abc", b"dab"]))
@example((["a\\"], [b"a\\", b"\\", b"u005c"]))
@example((["a'"], [b"a'", b'"\'"', b"'"]))
def test_pieces_give_what_the_whole_gives(drawn: tuple[list[str], list[bytes]]) -> None:
    """However a stream is cut, its secrets are hidden as in the whole, and none is left."""
    values, pieces = drawn
    secrets, data = Secrets(values), b"".join(pieces)
    shown = b"".join(in_pieces(secrets, pieces))
    assert shown == secrets.hidden_in(data)
    assert not any(form in shown for value in values for form in forms(value))


@given(streams())
@settings(deadline=None, max_examples=500)
def test_every_byte_of_every_occurrence_is_hidden_and_no_other(
    drawn: tuple[list[str], list[bytes]],
) -> None:
    """Secrets without lines are hidden as if their bytes were marked one by one."""
    values = [value for value in drawn[0] if "\n" not in value and value == value.strip()]
    data = b"".join(drawn[1])
    needles: set[bytes] = set().union(*map(forms, values))
    assert Secrets(values).hidden_in(data) == marked(data, needles)


@given(streams())
@settings(deadline=None)
def test_no_more_is_held_back_than_needed(drawn: tuple[list[str], list[bytes]]) -> None:
    """What is held back is no longer than the longest beginning of a secret at the end."""
    values = [value for value in drawn[0] if "\n" not in value and value == value.strip()]
    data = b"".join(drawn[1])
    needles: set[bytes] = set().union(*map(forms, values))
    masker = Secrets(values).masker()
    begun = masker.feed(data)
    held = [
        end for needle in needles for end in range(1, len(needle)) if data.endswith(needle[:end])
    ]
    assert begun.startswith(marked(data, needles, len(data) - max(held, default=0)))


@pytest.mark.parametrize(
    ("values", "pieces", "shown"),
    [
        (["hunter2"], ["my hunt", "er2!"], ["my ", "***!", ""]),
        (["hunter2"], ["my hunt", "ing"], ["my ", "hunting", ""]),
        (["hunter2"], ["my hunt"], ["my ", "hunt"]),
        (["abc", "abcdef"], ["abc", "def"], ["***", "", ""]),
        (["abc", "abcdef"], ["abc", "de", "x"], ["***", "", "dex", ""]),
        (["abc", "cde"], ["abcde abc cde"], ["*** *** ***", ""]),
        ([""], ["anything"], ["anything", ""]),
        ([], ["anything"], ["anything", ""]),
    ],
)
def test_pieces_are_shown_as_soon_as_they_can_be(
    values: list[str], pieces: list[str], shown: list[str]
) -> None:
    """Only what may become a secret waits for the next piece; a mask itself waits for nothing."""
    told = in_pieces(Secrets(values), [piece.encode() for piece in pieces])
    assert [piece.decode() for piece in told] == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-----BEGIN\nkey 1\nkey 2\n", "***"),
        ("    -----BEGIN\n    key 2\n", "    ***\n    ***\n"),
        ("-----BEGIN\r\nkey 1\r\n", "***\r\n***\r\n"),
        ("{ }\n", "{ }\n"),
        (json.dumps({"key": "-----BEGIN\nkey 1\nkey 2\n"}), '{"key": "***"}'),
    ],
)
def test_a_secret_of_many_lines_is_hidden_line_by_line(text: str, shown: str) -> None:
    """Lines are hidden without the others too; what is no more than brackets is no secret."""
    assert Secrets(["-----BEGIN\nkey 1\nkey 2\n", "x\n{\n}"]).hidden_in_text(text) == shown


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(r"""t/+=<&>`'\"\\é😀\n$z""", id="JavaScript"),
        pytest.param(r"""t/+=<&>`'\"\\\u00e9\ud83d\ude00\n$z""", id="Python"),
        pytest.param(r"""t\/+=<&>`'\"\\\u00e9\ud83d\ude00\n$z""", id="PHP"),
        pytest.param(r"""t\/+=\u003C\u0026\u003E`\u0027\u0022\\é😀\n$z""", id="PHP for HTML"),
        pytest.param(r"""t/+=\u003c\u0026\u003e`'\"\\é😀\n$z""", id="Go"),
        pytest.param(r"""t/+\u003d\u003c\u0026\u003e`\u0027\"\\é😀\n$z""", id="Gson"),
        pytest.param(
            r"""t/\u002B=\u003C\u0026\u003E\u0060\u0027\u0022\\\u00E9\uD83D\uDE00\n$z""", id=".NET"
        ),
        pytest.param("t/+=<&>`'\\''\"\\é😀\n$z", id="set -x of bash"),
        pytest.param("t/+=<&>`'\"'\"'\"\\é😀\n$z", id="export -p of dash"),
        pytest.param("t/+=<&>\\`'\\\"\\\\é😀\n\\$z", id="export -p of bash"),
        pytest.param(r"""t/+=<&>`\'"\\é😀\n$z""", id="set of bash"),
    ],
)
def test_however_a_secret_is_written_it_is_hidden(written: str) -> None:
    """Programs escape different characters in different ways; none of them shows a secret."""
    secrets = Secrets(["t/+=<&>`'\"\\é😀\n$z"])
    assert secrets.hidden_in_text(f"[{written}, other]") == "[***, other]"


@pytest.mark.parametrize(
    "quote", [shlex.quote, json.dumps, lambda text: text.replace("'", "'\\''")]
)
@pytest.mark.parametrize("secret", ["a'b", "'a''b'", "'", "''", "'a", "b'' '"])
def test_quotes_of_a_secret_are_hidden_with_it(secret: str, quote: Callable[[str], str]) -> None:
    """Wherever its single quotes stand, nothing but the quotes around a secret is left."""
    shown = Secrets([secret]).hidden_in_text(f"x={quote(secret)}.")
    assert "***" in shown
    assert set(shown) <= set("x=*.'\"")


def test_bytes_that_are_no_text_survive() -> None:
    """What is not hidden is not touched, and a secret may be no text either."""
    secrets = Secrets([b"\xff\xfe!".decode("utf-8", "surrogateescape")])
    assert secrets.hidden_in(b"\x80\xff \xff\xfe! \xc3") == b"\x80\xff *** \xc3"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            {"a": ["my 1234", {"1234": True}], "b": None},
            {"a": ["my ***", {"***": True}], "b": None},
        ),
        ([1234, 12345, 1.5, True, False], ["***", 12345, 1.5, True, False]),
        ("true", "true"),
    ],
)
def test_secrets_are_hidden_in_values(value: Any, shown: Any) -> None:
    """Texts and keys are searched for secrets, and a number may be one."""
    assert Secrets(["1234"]).hidden_in_value(value) == shown
