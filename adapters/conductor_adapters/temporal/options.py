"""What is said of a flow's work on Temporal: its queue, its timeouts, how it is delivered.

Rule: the nearest word counts, for each option apart: the step's metadata, its group's, the
flow's, what the client says of the handler, what it says of everything. What the client says is
pinned in the input of the workflow, so that a history replays by the options it was made with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import asdict, evolve, field, fields, frozen

from conductor_adapters.routes import metadata_about, said_of_host
from conductor_core.errors import ConductorError, Problem, shown
from conductor_core.payload import Payload
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

KEY: Final = "temporal"
LONGEST_MS: Final = 10 * 365 * 24 * 3_600_000
"""Temporal wants some timeout; the flow's own is a timer of the reducer."""


def _is_ms(value: object) -> bool:
    return _is_whole(value, 1) and isinstance(value, int) and value <= LONGEST_MS


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_queue(value: object) -> bool:
    return isinstance(value, str) and value != ""


_MS: Final = (_is_ms, f"milliseconds, from 1 to {LONGEST_MS}")
_YES_NO: Final = (lambda value: isinstance(value, bool), "true or false")


def _option(is_right: Callable[[Any], bool], expected: str) -> Any:
    return field(default=None, metadata={"is_right": is_right, "expected": expected})


@frozen(kw_only=True)
class Options:
    """What is said of work; None: nothing is said of that.

    In metadata: `host: {queue: gpu, temporal: {heartbeat_timeout_ms: 5000}}`. Times are in
    milliseconds. A worker that is not heard of for `heartbeat_timeout_ms` has died, and its work
    is delivered again, to `max_deliveries` workers in all; 1 turns Temporal's retries off. `local`
    work is done by the worker of the flow itself, between two of its tasks: for what takes less
    than a second or so. `child` of a group: the whole group is handed to a workflow of its own.
    `priority` is Temporal's: 1 is the most urgent, 5 the least.
    """

    queue: str | None = _option(_is_queue, "the name of a task queue")
    heartbeat_timeout_ms: int | None = _option(*_MS)
    start_to_close_timeout_ms: int | None = _option(*_MS)
    schedule_to_start_timeout_ms: int | None = _option(*_MS)
    max_deliveries: int | None = _option(lambda value: _is_whole(value, 1), "a number from 1 on")
    local: bool | None = _option(*_YES_NO)
    priority: int | None = _option(
        lambda value: _is_whole(value, 1) and value <= 5, "a number from 1 to 5"
    )
    child: bool | None = _option(*_YES_NO)

    def over(self, other: Options) -> Options:
        """What this says, and the other where this says nothing."""
        if self == NOTHING:
            return other
        said = {name: value for name, value in _said(self) if value is not None}
        return evolve(other, **said) if said else other


def _said(options: Options) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(options, name)) for name in NAMES)


NAMES: Final = tuple(it.name for it in fields(Options))
NOTHING: Final = Options()
DEFAULTS: Final = Options(
    heartbeat_timeout_ms=10_000,
    start_to_close_timeout_ms=LONGEST_MS,
    max_deliveries=8,
    local=False,
    child=False,
)
_EXPECTED: Final = {
    it.name: (it.metadata["is_right"], it.metadata["expected"]) for it in fields(Options)
}


@frozen(kw_only=True)
class Settings:
    """What a client says of all its flows.

    `of_handlers` are options by the name of the work. At most `max_in_flight` attempts of a flow
    are with Temporal at a time, which bears 2,000; the others wait within the flow. With `asks`
    the worker's `ask` is told what people are asked, by an activity.
    """

    default: Options = NOTHING
    of_handlers: Mapping[str, Options] = field(factory=dict)
    max_in_flight: int = 200
    asks: bool = False

    def __attrs_post_init__(self) -> None:
        wrong = [f"{path}: {what}" for path, what in _settings_problems(self)]
        if wrong:
            raise ConductorError("; ".join(wrong))


def _settings_problems(settings: Settings) -> Iterator[Problem]:
    named = {f"of_handlers[{shown(work)}]": said for work, said in settings.of_handlers.items()}
    for path, said in {"default": settings.default, **named}.items():
        if isinstance(said, Options):
            yield from _problems(path, dict(_said(said)))
        else:
            yield path, f"expected Options, got {shown(said)}"
    if not (_is_whole(settings.max_in_flight, 1) and settings.max_in_flight <= MOST_IN_FLIGHT):
        expected = f"a number from 1 to {MOST_IN_FLIGHT}"
        yield "max_in_flight", f"expected {expected}, got {shown(settings.max_in_flight)}"


MOST_IN_FLIGHT: Final = 1_900
"""Temporal refuses the 2,001st pending activity, and then the workflow is stuck."""


def encode_settings(settings: Settings) -> dict[str, Any]:
    """What the input of a workflow holds of settings: what is not said is left out."""
    told: dict[str, Any] = {
        "default": _spoken(settings.default),
        "of_handlers": {work: _spoken(said) for work, said in settings.of_handlers.items()},
        "max_in_flight": settings.max_in_flight,
    }
    return told | ({"asks": True} if settings.asks else {})


def _spoken(options: Options) -> dict[str, Any]:
    return {name: value for name, value in asdict(options).items() if value is not None}


def decode_settings(data: Mapping[str, Any]) -> Settings:
    """The settings of an input."""
    return Settings(
        default=Options(**data["default"]),
        of_handlers={work: Options(**said) for work, said in data["of_handlers"].items()},
        max_in_flight=data["max_in_flight"],
        asks=data.get("asks", False),
    )


class OptionsOf:
    """What is said of each step of a flow, worked out once for all steps that are alike."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[tuple[str, ...], Options] = {}

    def step(self, position: int, work: str, state: FlowState) -> Options:
        """What is said of the step at a position."""
        return self._of(work, tuple(it.text for it in metadata_about(position, state)))

    def group(self, state: FlowState) -> Options:
        """What is said of the current group: all that concerns it as a whole."""
        _, *about = metadata_about(state.span.start, state)
        return self._of("", tuple(it.text for it in about))

    def flow(self, work: str, state: FlowState) -> Options:
        """What is said of other work of a flow."""
        return self._of(work, (state.spec.metadata.text,))

    def _of(self, work: str, metadata: tuple[str, ...]) -> Options:
        found = self._known.get((work, *metadata))
        if found is None:
            found = NOTHING
            for text in metadata:
                found = found.over(said_of_options(Payload(text)))
            found = found.over(self._settings.of_handlers.get(work, NOTHING))
            found = found.over(self._settings.default).over(DEFAULTS)
            self._known[work, *metadata] = found
        return found


def said_of_options(metadata: Payload) -> Options:
    """What metadata says; what it says wrongly counts as not said."""
    host = said_of_host(metadata)
    told: Any = host.get(KEY)
    said = dict(told) if isinstance(told, dict) else {}
    said.setdefault("queue", host.get("queue"))
    return Options(**{
        name: value for name, value in said.items() if name in _EXPECTED and _is_right(name, value)
    })  # fmt: skip


def _is_right(name: str, value: object) -> bool:
    is_right, _ = _EXPECTED[name]
    return bool(is_right(value))


def option_problems(spec: FlowSpec) -> Iterator[Problem]:
    """What a flow says of options that cannot be followed, with its place."""
    for path, metadata in places(spec):
        told: Any = said_of_host(metadata).get(KEY, {})
        where = f"{path}.host.{KEY}"
        if not isinstance(told, dict):
            yield where, f"expected a mapping, got {shown(told)}"
            continue
        for name in told.keys() - set(NAMES):
            yield f"{where}.{name}", f"no option is named so (there are {', '.join(NAMES)})"
        yield from _problems(where, {name: told.get(name) for name in NAMES})


def places(spec: FlowSpec) -> Iterator[tuple[str, Payload]]:
    """All metadata of a flow, with its place."""
    yield "metadata", spec.metadata
    for index, group in enumerate(spec.groups):
        yield f"groups[{index}].metadata", group.metadata
        for number, step in enumerate(group.steps):
            yield f"groups[{index}].steps[{number}].metadata", step.metadata


def _problems(path: str, said: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in said.items():
        is_right, expected = _EXPECTED[name]
        if value is not None and not is_right(value):
            yield f"{path}.{name}", f"expected {expected}, got {shown(value)}"
