"""5,000 calls in flight: how much of the ideal is done, and what memory each takes.

    python -m benchmarks.inflight [--rounds 3] [--workers 5000] [--waves 6] [--seconds 2]

Real HTTP to an upstream that answers after `seconds`. The ideal is workers / seconds. Warm: after a
first wave has opened all connections. Cold: with that. Memory is what the process grew by, from
ready to its most.
"""

from dataclasses import replace

import trio

from benchmarks import outcome
from benchmarks.ground import open_ground, open_upstream
from benchmarks.nexus import Nexus
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load, rounds

OURS = "ours"


async def measure(count: int, workers: int, waves: int, seconds: int) -> Outcome:
    """The rounds."""
    found = Outcome("inflight")
    ideal = workers / seconds
    name = f"{workers:,} calls of {seconds} s"
    async with open_ground() as ground, open_upstream(ground, latency=float(seconds)) as url:
        load = Load(name, workers * waves, workers, upstream=url, warming_up=0)
        cold = (await rounds([Nexus(OURS)], ground, load, count))[OURS]
        warm = replace(load, warming_up=workers)
        warmed = (await rounds([Nexus(OURS)], ground, warm, count))[OURS]
    found.add(f"{name}: throughput, warm", OURS, "/s", [it.rate for it in warmed])
    shares = [it.rate / ideal for it in warmed]
    found.add(f"{name}: of the ideal, warm", OURS, "times", shares, Goal("≥", 0.8))
    found.add(f"{name}: of the ideal, from cold", OURS, "times", [it.rate / ideal for it in cold])
    memory = [it.memory / workers / 1024 for it in cold]
    found.add(f"{name}: memory of each", OURS, "KB", memory, Goal("≤", 48))
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=3, workers=5000, waves=6, seconds=2)
    asked = parser.parse_args()
    found = trio.run(measure, asked.rounds, asked.workers, asked.waves, asked.seconds)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
