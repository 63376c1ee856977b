"""The wait before a repetition, against the official clients' rule."""

import random

import pytest

from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.retry import backoff, may_wait, throttled


class Fixed(random.Random):
    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def random(self) -> float:
        return self._value


def failure(retry_after: float | None = None) -> ProviderFailure:
    return ProviderFailure(type="rate_limited", message="", retryable=True, retry_after=retry_after)


@pytest.mark.parametrize(
    ("attempt", "longest"),
    [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)],
)
def test_doubles_up_to_eight_seconds_less_a_quarter_at_most(attempt: int, longest: float) -> None:
    assert backoff(attempt, failure(), Fixed(0.0)) == longest
    assert backoff(attempt, failure(), Fixed(1.0)) == longest * 0.75


@pytest.mark.parametrize("asked", [0.001, 12.5, 3600.0])
def test_what_the_provider_asks_for_counts_however_long(asked: float) -> None:
    assert backoff(3, failure(retry_after=asked), Fixed(0.5)) == asked


def test_who_asks_for_nothing_is_not_asked_at_once() -> None:
    assert backoff(0, failure(retry_after=0.0), Fixed(0.0)) == 0.5


def test_a_long_pause_is_not_waited_out() -> None:
    assert may_wait(5.0)
    assert not may_wait(5.1)


def test_a_request_that_is_throttled_waits_longer_and_longer_up_to_a_minute() -> None:
    alone = [throttled(count, failure(), Fixed(0.0)) for count in range(9)]
    assert alone == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert throttled(10_000, failure(retry_after=0.0), Fixed(1.0)) == 45.0


def test_what_it_is_reported_counts_until_that_has_not_helped() -> None:
    told = [throttled(count, failure(retry_after=0.6), Fixed(0.0)) for count in range(9)]
    assert told == [0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 1.0, 2.0, 4.0]
    assert throttled(99, failure(retry_after=3600.0), Fixed(0.0)) == 3600.0


def test_the_same_generator_gives_the_same_wait() -> None:
    waits = [backoff(1, failure(), random.Random(7)) for _ in range(2)]  # noqa: S311
    assert waits[0] == waits[1]
