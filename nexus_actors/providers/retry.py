"""How long to wait before a failed call is repeated. Pure: the worker waits.

The same rule as in the official clients (`_calculate_retry_timeout` in openai-python,
anthropic-sdk-python).
"""

import random

from nexus_actors.providers.port import ProviderFailure

LONG_PAUSE = 5.0
"""Seconds above which a worker does not sleep between calls, and a request does not wait for a
provider if its route has another model."""
FIRST = 0.5
LONGEST = 8.0
LONGEST_THROTTLED = 60.0
BELIEVED = 5
"""How many times in a row the delay that a provider names is taken at its word."""


def may_wait(seconds: float) -> bool:
    """Whether a pause is short enough for the worker to sleep through it."""
    return seconds <= LONG_PAUSE


def backoff(attempt: int, failure: ProviderFailure, rng: random.Random) -> float:
    """Seconds to wait after attempt number `attempt`, counted from 0, ended in `failure`.

    The delay that the provider named, however long. If it named none (or 0), exponential backoff
    from half a second to eight seconds, minus up to a quarter at random, so that callers do not
    come back together.
    """
    if failure.retry_after:
        return failure.retry_after
    return _growing(attempt, LONGEST, rng)


def throttled(count: int, failure: ProviderFailure, rng: random.Random) -> float:
    """Seconds that a request waits after its 429 number `count`, counted from 0.

    The delay that the provider named, or more once that has not helped several times. If it named
    none, exponential backoff from half a second to a minute, minus up to a quarter at random.
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
