"""The Temporal host does what every host must, on a real server, with a worker that is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conductor_core.testing.conformance import Weather
from tests.adapters.temporal_trials import Trial, Trials, name_of
from tests.adapters.trial_choice import ALL, trials
from tests.services.temporal import Temporal

TRIALS: dict[str, Trial] = {name_of(trial): trial for trial in trials()}
# The host is the same, and the rest is played where all trials are.
CHILDREN: dict[str, Trial] = {
    name: trial
    for name, trial in TRIALS.items()
    if ALL or trial[1] in (Weather.CALM, Weather.DUPLICATED)
}


def wanted(request: pytest.FixtureRequest, parameter: str) -> Iterator[Trial]:
    """The trials that tests of this run ask for, in their order."""
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    named = (it.params.get(parameter) for it in specs if it is not None)
    return (TRIALS[name] for name in named if name is not None)


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest,
    temporal: Temporal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trials:
    """The trials that are to be played, under way."""
    return Trials(wanted(request, "trial"), tmp_path_factory.mktemp("kit"), temporal.url)


@pytest.fixture(scope="session")
def of_children(
    request: pytest.FixtureRequest,
    temporal: Temporal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trials:
    """The trials that are to be played with each group in the hands of a child, under way."""
    folder = tmp_path_factory.mktemp("kit")
    return Trials(wanted(request, "of_child"), folder, temporal.url, children=True)


@pytest.mark.parametrize("of_child", CHILDREN)
def test_it_conforms_with_groups_as_children(of_children: Trials, of_child: str) -> None:
    """A flow whose groups are run by children comes to what the pure reducer says."""
    of_children.outcome(of_child).result()


@pytest.mark.parametrize("trial", TRIALS)
def test_the_temporal_host_conforms(played: Trials, trial: str) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    played.outcome(trial).result()
