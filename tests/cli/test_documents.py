"""Files are read strictly: plain data within limits, or one error that says where."""

from __future__ import annotations

import contextlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor_adapters.cli import yaml_reader
from conductor_adapters.cli.documents import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Document,
    DocumentError,
    parse_document,
    read_document,
)

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(params=LOADERS, ids=lambda loader: str(loader.__name__))
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the YAML parser in Python, and with the one in C where it is there."""
    monkeypatch.setattr(yaml_reader, "Loader", request.param)


def of_yaml(text: str) -> Document:
    """Read YAML text."""
    return parse_document(text.encode(), "flow.yaml")


def of_json(text: str) -> Document:
    """Read JSON text."""
    return parse_document(text.encode(), "flow.json")


def refusal(content: str | bytes, name: str = "flow.yaml") -> DocumentError:
    """The error that some content leads to."""
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(DocumentError) as caught:
        parse_document(raw, name)
    return caught.value


# --- what YAML means ---


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (word, word)
            for word in ("on", "off", "yes", "no", "y", "n", "On", "NO", "tRUE", "nUll")
        ),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("null", "Null", "NULL", "~", "")),
        ("0", 0),
        ("-0", 0),
        ("010", 10),
        ("+12", 12),
        ("-12", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("-0x1F", "-0x1F"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-1", -0.15),
        (".", "."),
        ("-", [None]),
        ("+", "+"),
        ("..", ".."),
        ("1e", "1e"),
        ("\u0661", "\u0661"),
        ("2001-01-01", "2001-01-01"),
        ("<<", "<<"),
        ("=", "="),
        ("'12'", "12"),
        ('"true"', "true"),
        ("'.nan'", ".nan"),
        ("''", ""),
        ("|\n  1\n", "1\n"),
        ('"\\U0001F600"', "\U0001f600"),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """An unquoted scalar is what the core schema of YAML 1.2 says, and a string otherwise."""
    data = of_yaml(f"---\n{text}\n").data
    assert (data, type(data)) == (value, type(value))


@pytest.mark.usefixtures("parser")
def test_merge_keys_are_plain_keys() -> None:
    """A `<<` merges nothing: it is a key like any other."""
    data = of_yaml("base: &base {a: 1}\nmore:\n  <<: *base\n  b: 2\n").data
    assert data == {"base": {"a": 1}, "more": {"<<": {"a": 1}, "b": 2}}


@pytest.mark.usefixtures("parser")
def test_an_alias_repeats_what_its_anchor_named_last() -> None:
    """An anchor may be given again; an alias means the latest before it."""
    data = of_yaml("- &a 1\n- *a\n- &a [2]\n- *a\n- {&k key: *a, other: *k}\n").data
    assert data == [1, 1, [2], [2], {"key": [2], "other": "key"}]


@pytest.mark.usefixtures("parser")
def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    """What editors on other systems add is no part of the data."""
    document = parse_document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "flow.yaml")
    assert document.data == {"a": 1, "b": 2}
    assert document.line_of("b") == 2


@pytest.mark.usefixtures("parser")
def test_yaml_may_declare_version_1_2() -> None:
    """The version directive of YAML 1.2 is accepted."""
    assert of_yaml("%YAML 1.2\n---\nyes\n").data == "yes"


# --- what is refused ---

DEEP = MAX_DEPTH + 1
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("content", "line", "path", "problem"),
    [
        ("", 1, "", "the document is empty"),
        ("# nothing\n", 1, "", "the document is empty"),
        ("a: 1\nb: 2\na: 3\n", 3, "", "duplicate key 'a', first on line 1"),
        ("x:\n- {a: 1, 'a': 2}\n", 2, "x[0]", "duplicate key 'a', first on line 2"),
        ("a: 1\n---\nb: 2\n", 2, "", "a second document, expected one"),
        ("1: x\n", 1, "", "the key 1 is no string: quote it"),
        ("a:\n  null: x\n", 2, "a", "the key null is no string: quote it"),
        ("true: x\n", 1, "", "the key true is no string: quote it"),
        ("? [a]\n: x\n", 1, "", "the key is no string but a mapping or a list"),
        ("? {a: 1}\n: x\n", 1, "", "the key is no string but a mapping or a list"),
        ("a: &a [1]\n*a : x\n", 2, "", "the key is no string but a mapping or a list"),
        ("a:\n- .nan\n", 2, "a[0]", ".nan is no JSON value"),
        ("a: -.INF\n", 1, "a", "-.INF is no JSON value"),
        ("a: 1e999\n", 1, "a", "1e999 is too large for a number"),
        ("a: " + "9" * 1001, 1, "a", "a number of 1,001 digits, expected at most 1,000"),
        ("a: 0x" + "f" * 1001, 1, "a", "a number of 1,001 digits, expected at most 1,000"),
        ("a: 1." + "0" * 1001, 1, "a", "a number of 1,003 digits, expected at most 1,000"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "a", "the tag 'tag:yaml.org,2002:python"),
        ("a: !!str 1\n", 1, "a", "the tag 'tag:yaml.org,2002:str', expected a plain value"),
        ("a: ! x\n", 1, "a", "the tag '!', expected a plain value"),
        ("!!map {a: 1}\n", 1, "", "the tag 'tag:yaml.org,2002:map', expected a plain value"),
        ("- !local [x]\n", 1, "[0]", "the tag '!local', expected a plain value"),
        ("%TAG ! tag:example.org,2000:\n---\na\n", 1, "", "a %TAG directive, expected none"),
        ("%YAML 1.1\n---\nyes\n", 1, "", "YAML 1.1, expected 1.2"),
        ("a: *b\n", 1, "a", "the alias '*b' has no anchor before it"),
        ("a: &a\n  b: *a\n", 2, "a.b", "the alias '*a' stands inside itself"),
        ("&a [1, *a]\n", 1, "[1]", "the alias '*a' stands inside itself"),
        ("a: &b 1\nc: &b [*b]\n", 2, "c[0]", "the alias '*b' stands inside itself"),
        ("a: [1\nb: 2\n", 2, "a[1]", "no valid YAML: "),
        ("a: 'b\n", 2, "a", "no valid YAML: found unexpected end of stream"),
        ("a:\n\tb: 1\n", 2, "a", "no valid YAML: "),
        ("a: 1\n b: 2\n", 2, "", "no valid YAML: "),
        ("a: 1\nb: \x07\n", 2, "", "the character '\\x07' is not allowed in YAML"),
        ("a: \x00\n", 1, "", "the character '\\x00' is not allowed in YAML"),
        *(
            (f"a: 1\nb: x{char}c: 2\n", 2, "", f"the character {char!r} breaks lines unseen: ")
            for char in "\x85\u2028\u2029"
        ),
        (b"a: 1\nb: \xff\n", 2, "", "no valid UTF-8: the byte 0xff"),
        (b"a: \xed\xa0\x80\n", 1, "", "no valid UTF-8: the byte 0xed"),
        ("a: 1\n".encode("utf-16"), 1, "", "no valid UTF-8: the byte 0xff"),
        ("a: 1\n".encode("utf-16-le"), 1, "", "the character '\\x00' is not allowed in YAML"),
        ("\xe9t\xe9: 1\n".encode("latin-1"), 1, "", "no valid UTF-8: the byte 0xe9"),
        (BOMB, 6, "f[0]", f"more than {MAX_NODES:,} values, aliases followed"),
        ("- &a " + "x" * 4_000_000 + "\n- [*a, *a]\n", 2, "[1][1]", "more than 10,000,000 char"),
        ("[" + "1, " * MAX_NODES + "]", 1, f"[{MAX_NODES - 1}]", "more than 200,000 values"),
        ("- " * DEEP + "x", 1, "[0]" * (DEEP - 1), "nested deeper than 100 levels"),
    ],
)
def test_bad_yaml_is_refused_with_its_place(
    content: str | bytes, line: int, path: str, problem: str
) -> None:
    """Whatever is not plain data is one error that names the line, the path and the problem."""
    error = refusal(content)
    assert (error.file, error.line, error.path) == ("flow.yaml", line, path)
    assert error.problem.startswith(problem)


@pytest.mark.usefixtures("parser")
def test_nothing_in_a_file_is_evaluated(tmp_path: Path) -> None:
    """A tag that makes other readers run code makes this one refuse the file."""
    trace = tmp_path / "trace"
    refusal(f"!!python/object/apply:pathlib.Path.touch [!!python/name:{trace} '']")
    refusal(f"!!python/object/new:os.system ['touch {trace}']")
    assert not trace.exists()


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", ["flow.yaml", "flow.json"])
def test_depth_is_limited_at_the_same_level_everywhere(name: str) -> None:
    """A hundred levels are fine and one more is not, in YAML and in JSON."""
    fits = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    assert parse_document(fits.encode(), name).data
    assert "nested deeper than 100 levels" in refusal(f"[{fits}]", name).problem
    refusal("[" * 1_000_000, name)
    refusal('{"a":' * 1_000_000, name)


@pytest.mark.usefixtures("parser")
def test_an_alias_brings_its_depth_along() -> None:
    """What an alias repeats counts with its own levels where it stands."""
    inner = "[" * 60 + "1" + "]" * 60
    assert of_yaml(f"- &a {inner}\n- {'[' * 30}*a{']' * 30}\n").data
    outer = f"{'[' * 50}*a{']' * 50}"
    assert "nested deeper" in refusal(f"- &a {inner}\n- {outer}\n").problem


@pytest.mark.usefixtures("parser")
def test_escaped_half_surrogates_are_refused() -> None:
    """Half a surrogate pair is no character, however it is written."""
    refusal('"\\uD800"')
    assert refusal('{"a": "\\ud800"}', "flow.json").problem.startswith("half a surrogate pair")
    assert refusal('{"\\ud800": 1}', "flow.json").problem.startswith("half a surrogate pair")


# --- JSON ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        (" true\n", True),
        ("[false, -0, 1.0, 1e2, 12]", [False, 0, 1.0, 100.0, 12]),
        ('{"a": {"b": []}, "c": {}}', {"a": {"b": []}, "c": {}}),
        ('"\\ud83d\\ude00\\n\\/"', "\U0001f600\n/"),
        ('{"' + "long" * 1000 + '":\t1}', {"long" * 1000: 1}),
    ],
)
def test_json_is_read_by_its_own_grammar(text: str, value: object) -> None:
    """Valid JSON is read whole, also where it is no YAML."""
    assert of_json(text).data == value


@pytest.mark.parametrize(
    ("text", "line", "path", "problem"),
    [
        ("", 1, "", "the document is empty"),
        ("[1,\n2\n", 3, "[2]", "no valid JSON: expected a comma or ']', got the end"),
        ("[1 2]", 1, "[1]", "no valid JSON: expected a comma or ']', got '2'"),
        ("[1,\n]", 2, "[1]", "no valid JSON: expected another item after the comma, got ']'"),
        ('{"a": 1,}', 1, "", "no valid JSON: expected another item after the comma, got '}'"),
        ("[,]", 1, "[0]", "no valid JSON: expected a value, got ','"),
        ("{a: 1}", 1, "", "no valid JSON: expected a key in quotes, got 'a'"),
        ("{1: 1}", 1, "", "no valid JSON: expected a key in quotes, got '1'"),
        ('{"a" 1}', 1, "a", "no valid JSON: expected a colon, got '1'"),
        ('{"a":}', 1, "a", "no valid JSON: expected a value, got '}'"),
        ("{'a': 1}", 1, "", "no valid JSON: no value begins with \"'a': 1}\""),
        ('{"a":\n"b}', 2, "a", "no valid JSON: no value begins with '\"b}'"),
        ('["\t"]', 1, "[0]", "no valid JSON: no value begins with"),
        ('["\\x"]', 1, "[0]", "no valid JSON: Invalid \\escape"),
        ("[NaN]", 1, "[0]", "no valid JSON: expected a value, got 'NaN'"),
        ("[-Infinity]", 1, "[0]", "no valid JSON: no value begins with '-Infinity]'"),
        ("[Infinity]", 1, "[0]", "no valid JSON: expected a value, got 'Infinity'"),
        ("[1e999]", 1, "[0]", "1e999 is too large for a number"),
        ("[01]", 1, "[1]", "no valid JSON: expected a comma or ']', got '1'"),
        ("[+1]", 1, "[0]", "no valid JSON: no value begins with '+1]'"),
        ("[.5]", 1, "[0]", "no valid JSON: no value begins with '.5]'"),
        ("[1.]", 1, "[1]", "no valid JSON: no value begins with '.]'"),
        ("[" + "9" * 1001 + "]", 1, "[0]", "a number of 1,001 digits, expected at most 1,000"),
        ("{}\n{}", 2, "", "no valid JSON: expected nothing more, got '{'"),
        ("{} # no", 1, "", "no valid JSON: no value begins with '# no'"),
        ('{"a": 1,\n"a": 2}', 2, "", "duplicate key 'a', first on line 1"),
        ('{"a": 1,\n"\\u0061": 2}', 2, "", "duplicate key 'a', first on line 1"),
        ("[" + "1," * MAX_NODES + "1]", 1, f"[{MAX_NODES - 1}]", "more than 200,000 values"),
    ],
)
def test_bad_json_is_refused_with_its_place(text: str, line: int, path: str, problem: str) -> None:
    """What the grammar of JSON does not name is one error with its place."""
    error = refusal(text, "flow.json")
    assert (error.line, error.path) == (line, path)
    assert error.problem.startswith(problem)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_every_json_value_comes_back(value: Any, indent: int | None, ascii_only: bool) -> None:
    """What the standard library writes as JSON is read as the same value and type."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert repr(of_json(text).data) == repr(value)


@settings(deadline=None)
@given(st.text(alphabet='{}[]:,"\\-01.eE tnulrfas\n', max_size=40))
def test_both_json_readers_accept_the_same_text(text: str) -> None:
    """What is JSON for the standard library is JSON here, but for duplicate keys and 1e999."""
    try:
        expected = json.loads(text)
    except ValueError:
        refusal(text, "flow.json")
        return
    try:
        data = of_json(text).data
    except DocumentError as error:
        problem = error.problem
    else:
        problem = "" if data == expected else "another value"
    assert "duplicate key" in problem or "too large" in problem or not problem


class Dumper(yaml.SafeDumper):
    """Writes YAML, with quotes around what may be a number.

    PyYAML follows YAML 1.1, and so leaves texts without quotes that are numbers here.
    """


def represent_text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    """Leave the quotes of other texts to PyYAML, but escape what breaks lines unseen."""
    quote = "'" if any(char.isdigit() for char in text) else None
    if yaml_reader.BREAKS.search(text):
        quote = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quote)


Dumper.add_representer(str, represent_text)


@settings(deadline=None)
@given(VALUES, st.booleans())
@example(value={"0E0": "1e5"}, flow_style=False)
def test_both_yaml_parsers_read_the_same(value: Any, flow_style: bool) -> None:
    """The parser in C is only faster: it gives the data and the places of the other."""
    text = yaml.dump(value, Dumper=Dumper, allow_unicode=True, default_flow_style=flow_style)
    with pytest.MonkeyPatch.context() as patch:
        documents_read = []
        for loader in LOADERS:
            patch.setattr(yaml_reader, "Loader", loader)
            documents_read.append(of_yaml(text))
    assert all(document == documents_read[0] for document in documents_read)


@settings(deadline=None)
@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%#@`~ .0\n\t", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the YAML reader fail otherwise than with its one kind of error."""
    with contextlib.suppress(DocumentError):
        of_yaml(text)


# --- places ---

FLOW = """\
flow: deploy
groups:
  - key: first
    steps:
      - key: plan
        run: x
      - {key: apply, needs:
          [plan]}
  - &again
    key: second
    steps: []
  - *again
expect:
  steps: {"plan#1": success,
          "build.wheel#1": error, build: {wheel: 1}}
"""


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("flow", 1),
        ("groups", 2),
        ("groups[0]", 3),
        ("groups[0].key", 3),
        ("groups[0].steps", 4),
        ("groups[0].steps[0].run", 6),
        ("groups[0].steps[1].needs", 7),
        ("groups[0].steps[1].needs[0]", 8),
        ("groups[2].key", 10),
        ("expect.steps.plan#1", 14),
        ("expect.steps['plan#1']", 14),
        ("expect.steps.build.wheel#1", 15),
        ("expect.steps.build.wheel", 15),
        ("groups[0].steps[1].colour", 7),
        ("groups[0].steps[7].key", 4),
        ("groups[0].key.deeper[3]", 3),
        ("groups.key", 2),
        ("nowhere", 1),
    ],
)
def test_a_path_leads_to_its_line_or_to_what_encloses_it(path: str, line: int) -> None:
    """Problems that are found later are still blamed on a line of the file."""
    document = of_yaml(FLOW)
    assert document.line_of(path) == line
    assert str(document.error(path, "wrong")).startswith(f"flow.yaml:{line}: ")


def test_json_has_the_same_places() -> None:
    """A path leads to its line in JSON too."""
    document = of_json('{"a": 1,\n "b": [\n  2,\n  {"c":\n 3}]}')
    assert [document.line_of(path) for path in ("b", "b[0]", "b[1].c", "b[9]")] == [2, 3, 4, 2]


# --- files ---


def test_a_file_is_read_by_its_suffix(tmp_path: Path) -> None:
    """A name that ends in .json means JSON, any other YAML."""
    for name, text in {"f.yaml": "a: on", "f.JSON": '{"a": "on"}', "f": "a: on"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_document(tmp_path / name).data == {"a": "on"}


def test_a_file_that_cannot_be_opened_is_an_error_of_its_own(tmp_path: Path) -> None:
    """A missing file and a folder are named as a whole, without a line."""
    with pytest.raises(DocumentError, match=r"none\.yaml: No such file or directory"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="Is a directory") as caught:
        read_document(tmp_path)
    assert caught.value.line is None


def test_a_hundred_megabytes_are_refused_unread(tmp_path: Path) -> None:
    """A file above the limit is refused after its first bytes, whatever it holds."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(DocumentError, match=r"huge\.yaml: larger than 10,000,000 bytes"):
        read_document(path)
    fits = b"#" * (MAX_BYTES - 2) + b"\n1"
    assert parse_document(fits, "flow.yaml").data == 1
    assert "larger than" in refusal(fits + b"2").problem


def test_an_error_reads_as_file_line_path_problem() -> None:
    """The text of an error starts as compilers write it, and survives pickling."""
    error = refusal("groups:\n  - {key: a, key: b}\n")
    expected = "flow.yaml:2: groups[0]: duplicate key 'key', first on line 2"
    assert str(error) == expected
    assert str(pickle.loads(pickle.dumps(error))) == expected


def test_several_problems_are_one_error_with_a_line_each() -> None:
    """Whatever is found wrong with a document is told at once, each with its place."""
    error = of_yaml("a: 1\nb: 2\n").refused([("b", "too big"), ("", "too short")])
    assert (error.line, error.path, error.problem) == (2, "b", "too big")
    assert str(error) == "flow.yaml:2: b: too big\nflow.yaml:1: too short"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_odd_keys_stand_in_brackets_in_a_path() -> None:
    """A key that would not read as one in a path is quoted, its control characters escaped."""
    text = '"a\\eb":\n  "c.d": {e: 1,\n    e: 2}\n'
    assert refusal(text).path == "['a\\x1bb']['c.d']"
    document = of_yaml(text.replace("e: 2", "f: 2"))
    assert document.line_of("['a\\x1bb']") == 1
    assert document.line_of("['a\\x1bb']['c.d'].f") == 3
