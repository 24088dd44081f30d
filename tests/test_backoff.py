"""How long a retry waits (S2.2)."""

from __future__ import annotations

from hashlib import sha256

import pytest

from conductor_core import RetryPolicy
from conductor_core.backoff import backoff_ms
from conductor_core.events import StepError

PLAIN = RetryPolicy(backoff_ms=[10, 200, 3000], jitter=False)


@pytest.mark.parametrize(("n", "wait"), [(1, 10), (2, 200), (3, 3000), (4, 3000), (99, 3000)])
def test_the_nth_retry_waits_the_nth_time_and_the_last_repeats(n: int, wait: int) -> None:
    """Without jitter the wait is what is declared; past the end of the list the last holds."""
    assert backoff_ms(PLAIN, n, "flow/a#2", None) == wait


@pytest.mark.parametrize("jitter", [True, False])
@pytest.mark.parametrize("declared", [[], [0]])
def test_nothing_declared_is_no_wait(declared: list[int], jitter: bool) -> None:
    """An empty list and a zero both mean to retry at once."""
    policy = RetryPolicy(backoff_ms=declared, jitter=jitter)
    assert backoff_ms(policy, 1, "flow/a#2", None) == 0


@pytest.mark.parametrize("token", ["deploy-42/plan#2", "deploy-42/plan#3", "deploy-42/network@1"])
@pytest.mark.parametrize("declared", [1, 2, 3, 1001, 30_000])
def test_jitter_draws_from_the_name_of_what_is_new(token: str, declared: int) -> None:
    """The wait is half of what is declared, and of the rest what a digest of the name says."""
    policy = RetryPolicy(backoff_ms=[declared])
    drawn = int(sha256(token.encode()).hexdigest()[:16], 16)
    half = declared // 2
    assert backoff_ms(policy, 1, token, None) == half + drawn % (declared - half + 1)


def test_jitter_in_numbers() -> None:
    """The waits of a flow are the same on every machine, for ever."""
    waits = [backoff_ms(RetryPolicy(), n, f"deploy-42/plan#{n + 1}", None) for n in (1, 2, 3, 4)]
    assert waits == [20474, 68756, 171743, 223760]


def test_jitter_stays_between_half_and_all() -> None:
    """A wait is never longer than declared, nor shorter than half of it; both ends occur."""
    policy = RetryPolicy(backoff_ms=[5])
    drawn = {backoff_ms(policy, 1, f"flow-{n}/a#2", None) for n in range(200)}
    assert drawn == {2, 3, 4, 5}


@pytest.mark.parametrize(("asked", "wait"), [(9, 10), (10, 10), (11, 11), (0, 10), (None, 10)])
def test_a_failure_may_ask_for_more_time_and_never_for_less(asked: int | None, wait: int) -> None:
    """`retry_after_ms` replaces the wait when it is larger; jitter does not touch it."""
    error = StepError(retry_after_ms=asked)
    assert backoff_ms(PLAIN, 1, "flow/a#2", error) == wait


def test_only_the_error_itself_may_ask_for_time() -> None:
    """What an error's cause asks for does not count (S6.19a)."""
    error = StepError(cause=StepError(retry_after_ms=99_999))
    assert backoff_ms(PLAIN, 1, "flow/a#2", error) == 10


def test_a_failure_may_ask_for_time_where_none_is_declared() -> None:
    """Without any backoff the wait is what the failure asks for."""
    error = StepError(retry_after_ms=70)
    assert backoff_ms(RetryPolicy(backoff_ms=[]), 1, "flow/a#2", error) == 70
