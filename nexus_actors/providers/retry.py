"""How long to wait before a failed call is repeated. Pure: the worker does the waiting.

As the official clients do it (`_calculate_retry_timeout` in openai-python, anthropic-sdk-python).
"""

import random

from nexus_actors.providers.port import ProviderFailure

LONG_PAUSE = 5.0
"""Seconds that are too long to be waited out by who makes the call, or for a provider while the
route has another model."""
FIRST = 0.5
LONGEST = 8.0
LONGEST_THROTTLED = 60.0
BELIEVED = 5
"""So many times in a row a provider is believed that a moment is enough."""


def may_wait(seconds: float) -> bool:
    """Whether a pause is short enough to be waited out by who makes the call."""
    return seconds <= LONG_PAUSE


def backoff(attempt: int, failure: ProviderFailure, rng: random.Random) -> float:
    """Seconds to wait after attempt number `attempt`, counted from 0, ended in `failure`.

    What the provider asked for, however long; else, or if it asked for nothing, twice as long each
    time, from half a second to eight, less up to a quarter at random, so that callers do not come
    back together.
    """
    if failure.retry_after:
        return failure.retry_after
    return _growing(attempt, LONGEST, rng)


def throttled(count: int, failure: ProviderFailure, rng: random.Random) -> float:
    """Seconds that a request waits after its 429 number `count`, counted from 0.

    What the provider asked for, or more where that did not help so often; where it asked for
    nothing, twice as long each time, from half a second to a minute, less up to a quarter.
    """
    asked = failure.retry_after
    if not asked:
        return _growing(count, LONGEST_THROTTLED, rng)
    if count < BELIEVED:
        return asked
    return max(asked, _growing(count - BELIEVED, LONGEST_THROTTLED, rng))


def _growing(count: int, longest: float, rng: random.Random) -> float:
    # The exponent is bounded because 2.0**1024 overflows.
    return min(FIRST * 2.0 ** min(count, 16), longest) * (1 - 0.25 * rng.random())
