"""1, 2 and 4 services on one queue: CPU a request of all of them together.

    python -m benchmarks.processes [--rounds 5] [--requests 8000]

Nothing is pinned here: they take the cores that there are.
"""

import trio

from benchmarks import outcome
from benchmarks.ground import OTHER_CORES, SERVICE_CORES, open_ground
from benchmarks.nexus import Nexus
from benchmarks.outcome import Figure, Goal, Outcome
from benchmarks.race import Load, Run, run

COUNTS = (1, 2, 4)
ALLOWED = 1.15
"""Times one process's."""


async def measure(count: int, requests: int) -> Outcome:
    """Interleaved."""
    found = Outcome("processes")
    side = Nexus("ours")
    load = Load("echo", requests, 64)
    runs: dict[int, list[Run]] = {it: [] for it in COUNTS}
    async with open_ground() as ground:
        for _ in range(count):
            for processes in COUNTS:
                where = SERVICE_CORES | OTHER_CORES
                done = await run(side, ground, load, processes=processes, where=where)
                runs[processes].append(done)
                print(f"{processes}: {done.service:,.0f} µs, {done.rate:,.0f}/s", flush=True)
    for what, goal in (("service", Goal("≤", ALLOWED)), ("server", None)):
        name = f"CPU a request, {'services' if what == 'service' else 'PostgreSQL'}"
        figures: dict[int, Figure] = {
            it: found.add(name, f"{it} processes", "µs", [getattr(r, what) for r in runs[it]])
            for it in COUNTS
        }
        for it in COUNTS[1:]:
            found.divide(figures[it], figures[1], goal)
    for it in COUNTS:
        found.add("throughput", f"{it} processes", "/s", [r.rate for r in runs[it]])
    return found


def main() -> None:
    """Print and write."""
    asked = outcome.options(__doc__, rounds=5, requests=8000).parse_args()
    outcome.hand_in(trio.run(measure, asked.rounds, asked.requests), asked.results)


if __name__ == "__main__":
    main()
