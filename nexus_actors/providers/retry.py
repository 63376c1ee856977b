"""How long to wait before a failed call is repeated. Pure: the worker does the waiting.

As the official clients do it (`_calculate_retry_timeout` in openai-python, anthropic-sdk-python).
"""

import random

from nexus_actors.providers.port import ProviderFailure

RETRY_AFTER_LIMIT = 120.0
"""Seconds; who asks for more is not asked again by the one who was told so."""
FIRST = 0.5
LONGEST = 8.0


def may_wait(seconds: float) -> bool:
    """Whether a pause is short enough to be waited out by who makes the call."""
    return seconds <= RETRY_AFTER_LIMIT


def backoff(attempt: int, failure: ProviderFailure, rng: random.Random) -> float:
    """Seconds to wait after attempt number `attempt`, counted from 0, ended in `failure`.

    What the provider asked for, however long; else, or if it asked for nothing, twice as long each
    time, from half a second to eight, less up to a quarter at random, so that callers do not come
    back together.
    """
    if failure.retry_after:
        return failure.retry_after
    # The exponent is bounded because 2.0**1024 overflows.
    return min(FIRST * 2.0 ** min(attempt, 16), LONGEST) * (1 - 0.25 * rng.random())
