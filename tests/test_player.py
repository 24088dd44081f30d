"""A log that is verified entry by entry, and by the reducer of its semantics."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from attrs import evolve

from conductor_core import reduce
from conductor_core.errors import LogError, ReplayDivergence
from conductor_core.events import Event
from conductor_core.log import Entry, Player, read_log, replay
from conductor_core.reducer import Transition
from conductor_core.semantics import REDUCERS
from conductor_core.state import FlowState, initial_state
from conductor_core.verdicts import Ignored
from tests.test_log import RERUN, SPEC, STORY, Recorder


def quieter(state: FlowState, event: Event) -> Transition:
    """Semantics that differ: a flow that was started once more is not told why it is ignored."""
    transition = reduce(state, event)
    if isinstance(transition.verdict, Ignored):
        return evolve(transition, verdict=Ignored("quiet"))
    return transition


def test_every_entry_is_given_with_what_became_of_it() -> None:
    """The entries are those of the log, each with the state behind it."""
    player = Player(Recorder().play(*STORY).lines)
    assert player.state == initial_state(SPEC, "flow")
    state = player.state
    for seq, (event, played) in enumerate(zip(STORY, player, strict=True), 1):
        assert (played.seq, played.event) == (seq, event)
        assert played.transition == reduce(state, event)
        state = player.state
        assert state is played.transition.state


def test_every_entry_is_given_with_its_digest() -> None:
    """The one that the log has of it, whatever comes before and after it."""
    lines = Recorder().play(*STORY, *RERUN).close().lines
    spaced = [lines[0], *(line.replace(b'{"seq"', b'{ "seq"') for line in lines[1:])]
    logged = [line.digest for line in read_log(lines) if isinstance(line, Entry)]
    for each in (lines, spaced):
        assert [played.digest for played in Player(each)] == logged


def test_the_result_is_that_of_a_replay() -> None:
    """At the end nothing else is known than after a replay, checkpoints and end included."""
    lines = Recorder().play(*STORY, *RERUN).close().lines
    player = Player(lines)
    assert len(list(player)) == len(STORY) + len(RERUN)
    assert player.result() == replay(lines)
    assert player.header == replay(lines).header


def test_a_line_that_is_read_twice_gives_one_entry() -> None:
    """A line that says the same in other bytes is read in a hurry first, and then strictly."""
    lines = Recorder().play(*STORY).lines
    spaced = [lines[0], *(line.replace(b'{"seq"', b'{ "seq"') for line in lines[1:])]
    assert [played.event for played in Player(spaced)] == list(STORY)


def test_a_last_line_that_was_cut_ends_it() -> None:
    """What stood before it is given, and the result tells of it."""
    lines = Recorder().play(*STORY).lines
    cut = [*lines[:-1], lines[-1][:40]]
    player, whole = Player(cut), replay(cut)
    assert len(list(player)) == len(STORY) - 1
    assert str(player.result().truncated) == str(whole.truncated)
    assert evolve(player.result(), truncated=None) == evolve(whole, truncated=None)


def test_what_is_wrong_is_told_at_its_line() -> None:
    """Entries before it were given."""
    lines = Recorder().play(*STORY).lines
    player = Player([*lines[:3], *lines[4:]])
    given: list[int] = []
    with pytest.raises(LogError, match="line 4"):
        given.extend(played.seq for played in player)
    assert given == [1, 2]


def test_a_log_is_replayed_by_the_reducer_of_its_semantics() -> None:
    """Where rules changed, old logs are judged by the old, and new ones by the new."""
    two = MappingProxyType({**REDUCERS, 2: quieter})
    lines = Recorder().play(*STORY).lines
    assert replay(lines, reducers=two) == replay(lines)
    with pytest.raises(ReplayDivergence, match="quiet"):
        replay(lines, reducers={1: quieter})


def test_semantics_that_nobody_knows_are_named_with_those_that_are_known() -> None:
    """Neither a replay nor a player begins."""
    header, *rest = Recorder().play(*STORY).lines
    lines = [header.replace(b'"semantics":1', b'"semantics":3'), *rest]
    for read in (replay, Player):
        with pytest.raises(LogError, match="unknown semantics 3, expected 1 or 2"):
            read(lines, reducers={**REDUCERS, 2: quieter})
