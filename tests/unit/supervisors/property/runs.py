"""How many examples the property tests run: a few that are always the same, or very many.

`make soak` runs 10,000 in all, new ones each time: it sets PROPERTY_RUNS. Only there a failure is
shrunk, which can take minutes.
"""

import os

from hypothesis import HealthCheck, Phase, settings

RUNS = int(os.environ.get("PROPERTY_RUNS", "0"))


def runs(modest: int, share: float, steps: int) -> settings:
    """`modest` examples, or `share` of PROPERTY_RUNS; each of up to `steps` rules."""
    return settings(
        max_examples=round(RUNS * share) if RUNS else modest,
        derandomize=not RUNS,
        phases=tuple(Phase) if RUNS else (Phase.explicit, Phase.generate),
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
