"""What may happen in a search, as it is chosen on the command line.

Rule: an option changes one thing in the alphabet, be that the default or one from a file. The
words are those of the alphabet, so that what it learns can be chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, fields, frozen

from conductor_adapters.cli.recorded import Recorded, read_source
from conductor_core.checking import Alphabet, Ending
from conductor_core.checking.alphabet import ALL_OPERATIONS, BY_NAME, RESPONSES
from conductor_core.checking.alphabet_format import alphabet_of
from conductor_core.codec import encode_groups
from conductor_core.errors import ConductorError, FormatError, shown
from conductor_core.spec import FlowSpec, GroupSpec

ENDINGS: Final[Mapping[str, Ending]] = {
    name.replace(", ", ":").replace(" ", "-"): ending for name, ending in BY_NAME.items()
}
"""The endings by names without blanks and commas: `policy-deny`, `ok:stop`."""
APPROVE_ALL: Final = "approve-all"
SWITCHES: Final = (
    *(f.name.replace("_", "-") for f in fields(Alphabet) if isinstance(f.default, bool)),
    APPROVE_ALL,
)
"""What happens or does not, under the names that it has in a file."""


@frozen(kw_only=True)
class Choices:
    """The options about what may happen; what is None or empty changes nothing."""

    endings: str | None = None
    answers: str | None = None
    operations: str | None = None
    reruns: int | None = None
    replans: int | None = None
    suggestions: int | None = None
    switched_on: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()
    generated: Path | None = None
    appended: Path | None = None

    def applied_to(self, alphabet: Alphabet, spec: FlowSpec) -> Alphabet:
        """The alphabet with what was chosen, for this flow; raises ConductorError."""
        changes = {
            **_switched(self.switched_on, self.switched_off),
            "endings": _endings(self.endings, alphabet.endings),
            "answers": _listed("--answers", self.answers, RESPONSES),
            "operations": _listed("--operations", self.operations, ALL_OPERATIONS),
            "reruns": self.reruns,
            "replans": self.replans,
            "suggestions": self.suggestions,
            "generated": _groups("generated", self.generated, spec),
            "appended": _groups("appended", self.appended, spec),
        }
        chosen = {name: value for name, value in changes.items() if value is not None}
        return evolve(alphabet, **chosen)


def _switched(on: Iterable[str], off: Iterable[str]) -> dict[str, Any]:
    """The fields that are switched, each in one way only."""
    wanted, unwanted = _words("--with", on), _words("--without", off)
    for word in wanted:
        if word in unwanted:
            raise ConductorError(f"--with {word} and --without {word}: expected one of the two")
    return dict([*(_switch(w, on=True) for w in wanted), *(_switch(w, on=False) for w in unwanted)])


def _switch(word: str, *, on: bool) -> tuple[str, Any]:
    """The field that a word switches, and its value."""
    if word == APPROVE_ALL:
        return "options", (APPROVE_ALL,) if on else ()
    return word.replace("-", "_"), on


def _words(option: str, given: Iterable[str]) -> list[str]:
    """The words of an option that may be repeated and takes lists."""
    # In a file the names are written with underscores.
    texts = (text.replace("_", "-") for text in given)
    return [word for text in texts for word in _listed(option, text, SWITCHES) or ()]


def _listed(option: str, text: str | None, known: Iterable[str]) -> tuple[str, ...] | None:
    """Read a list with commas, in which nothing stands twice."""
    if text is None:
        return None
    choices = [*known]
    items = tuple(_items(text))
    for item in items:
        if item not in choices:
            raise ConductorError(f"{option}: {shown(item)} is none of {', '.join(choices)}")
        if items.count(item) > 1:
            raise ConductorError(f"{option}: {shown(item)} is given twice")
    return items


def _items(text: str) -> Iterator[str]:
    """The items of a list with commas; of an empty text there are none."""
    yield from (item.strip() for item in text.split(",") if text.strip())


# --- endings ---


def _endings(text: str | None, before: tuple[Ending, ...]) -> tuple[Ending, ...] | None:
    """How work may end; a list that begins with `+` adds to what is there."""
    if text is None:
        return None
    endings = dict.fromkeys(before) if text.startswith("+") else {}
    endings |= dict.fromkeys(_ending(item) for item in _items(text.removeprefix("+")))
    if not endings:
        raise ConductorError("--endings: expected at least one way in which work ends")
    return tuple(endings)


def _ending(item: str) -> Ending:
    """An ending by its name."""
    if item not in ENDINGS:
        raise ConductorError(f"--endings: {shown(item)} is none of {', '.join(ENDINGS)}")
    return ENDINGS[item]


# --- files ---


def flow_of(path: Path) -> FlowSpec:
    """The flow in a flow file; raises ConductorError."""
    source = read_source(path, expected="a flow file")
    if isinstance(source, Recorded):
        raise ConductorError(f"{path}: the log of a flow, expected a flow file")
    return source.spec


def _groups(name: str, path: Path | None, spec: FlowSpec) -> tuple[GroupSpec, ...] | None:
    """The groups in a flow file, as far as they could be delivered or added to a flow."""
    if path is None:
        return None
    groups = flow_of(path).groups
    try:
        alphabet_of(spec)({name: encode_groups(groups)}, "")
    except FormatError as error:
        place, problem = error.problems[0]
        told = f"{place.removeprefix(name)}: {problem}".removeprefix(": ")
        raise ConductorError(f"--{name}: {path}: {told}") from None
    return groups
