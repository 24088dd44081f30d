"""Masking: no secret is shown, however it is cut, and everything else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor_adapters.masking import MASK, Secrets

# Few different letters, so that secrets overlap, repeat and begin again in each other.
LETTERS = st.text('ab\n"\\é1', max_size=6)
OTHERS = st.text(max_size=4).filter(lambda text: "*" not in text and text.isprintable())


def in_pieces(secrets: Secrets, pieces: list[bytes]) -> list[bytes]:
    """What is shown of a stream after each of its pieces, and after its end."""
    masker = secrets.masker()
    return [*map(masker.feed, pieces), masker.flush()]


def forms(secret: str) -> set[bytes]:
    """The forms in which a secret is to be hidden; not those of its lines."""
    texts = (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    return {text.encode() for text in texts if text}


def marked(data: bytes, needles: set[bytes]) -> bytes:
    """The simplest way: mark every byte of every occurrence, and show a mask for each run."""
    hidden = [False] * len(data)
    for needle in needles:
        for start in range(len(data) - len(needle) + 1):
            if data.startswith(needle, start):
                hidden[start : start + len(needle)] = [True] * len(needle)
    shown = bytearray()
    for index, byte in enumerate(data):
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
    part = st.builds(lambda form, end: form[:end], whole, st.integers(0, 5))
    data = b"".join(draw(st.lists(whole | part | LETTERS.map(str.encode) | st.binary(max_size=3))))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return secrets, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(streams())
@settings(deadline=None, max_examples=500)
@example((["abc", "cd"], [b"xabc", b"d"]))
@example((["aa"], [b"a", b"a", b"a"]))
@example((["ab", "abcd"], [b"abc", b"dab"]))
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
    assert len(marked(data, needles)) - len(begun) <= max(held, default=0)


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


def test_what_json_makes_of_a_secret_is_hidden() -> None:
    """Quotes, backslashes and other letters look different in JSON, in one of two ways."""
    secret = 'p"ä\\s'
    secrets = Secrets([secret])
    for ascii_only in (True, False):
        text = json.dumps([secret, "other"], ensure_ascii=ascii_only)
        assert secrets.hidden_in_text(text) == '["***", "other"]'


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
