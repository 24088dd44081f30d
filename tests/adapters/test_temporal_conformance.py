"""The Temporal host does what every host must, on a real server, with a worker that is killed."""

from __future__ import annotations

from itertools import product

import pytest

from conductor_core.testing.conformance import cases, weathers
from tests.adapters.temporal_trials import Trial, Trials, name_of
from tests.services.temporal import Temporal

TRIALS: dict[str, Trial] = {name_of(trial): trial for trial in product(cases(), weathers())}


@pytest.fixture(scope="session")
def trials(
    request: pytest.FixtureRequest,
    temporal: Temporal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trials:
    """The trials that are to be played, under way."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    named = dict.fromkeys(it.params["trial"] for it in wanted if it and "trial" in it.params)
    return Trials((TRIALS[name] for name in named), tmp_path_factory.mktemp("kit"), temporal.url)


@pytest.mark.parametrize("trial", TRIALS)
def test_the_temporal_host_conforms(trials: Trials, trial: str) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    trials.outcome(trial).result()
