"""Are the ratios far off? In under a minute, with margins that a busy machine stays within.

    python -m benchmarks.smoke [REVISION]

It says what is missed and ends with 1 then. Where the revision's history is not there (a shallow
clone), nothing is compared with it, and that is said.
"""

import argparse
import sys
import time

import trio

from benchmarks import against, outcome
from benchmarks.ground import open_ground, open_upstream
from benchmarks.latency import floor, ours
from benchmarks.nexus import REVISION, Nexus, checkout
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load, rounds

MARGINS = {
    "http: CPU a request, service": 0.45,
    "echo: CPU a request, service": 0.60,
    "http: CPU a request, PostgreSQL": 0.90,
    "echo: CPU a request, PostgreSQL": 0.90,
}
"""Times the earlier revision's, at most: half as much again as the goals, or more."""
LATENCY = 4.0
"""Times the floor's."""
IN_FLIGHT = 0.4
"""Of the ideal, at least."""
REQUESTS = 1000


async def compared(sides: tuple[Nexus, Nexus]) -> Outcome:
    """CPU beside the earlier revision, one round."""
    found = await against.measure(sides, 1, REQUESTS)
    kept = Outcome("smoke")
    for figure in found.figures:
        if figure.unit == "times" and figure.name in MARGINS:
            goal = Goal("≤", MARGINS[figure.name])
            kept.add(figure.name, figure.side, "times", figure.samples, goal)
    return kept


async def alone(found: Outcome) -> None:
    """What needs no other revision."""
    side = Nexus("ours")
    async with open_ground() as ground:
        like = await side.template(ground)
        idle, _, _ = await ours(ground, like, 20, 1)
        bare = await floor(ground, like, 20)
        ratio = sorted(idle)[10] / sorted(bare)[10]
        found.add("enqueue → stored, idle", "ours / floor", "times", [ratio], Goal("≤", LATENCY))
        async with open_upstream(ground, latency=1.0) as url:
            load = Load("in flight", 900, 300, upstream=url, warming_up=300)
            (done,) = (await rounds([side], ground, load, 1))[side.name]
        share = done.rate / 300
        found.add("300 calls of 1 s: of the ideal", "ours", "times", [share], Goal("≥", IN_FLIGHT))


def main() -> int:
    """1 if a ratio is far off."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("revision", nargs="?", default=REVISION)
    asked = parser.parse_args()
    began = time.monotonic()
    with checkout(asked.revision) as tree:
        if tree is None:
            found = Outcome("smoke", notes=[f"no revision {asked.revision} here to compare with"])
        else:
            found = trio.run(compared, (Nexus(against.TODAY), Nexus(asked.revision, tree)))
    trio.run(alone, found)
    outcome.hand_in(found, None)
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(it.goal is not None and not it.goal.met(it.median) for it in found.figures))


if __name__ == "__main__":
    sys.exit(main())
