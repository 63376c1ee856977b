"""CPU a request, beside an earlier revision's: real HTTP on loopback, and `echo`.

    python -m benchmarks.against [REVISION] [--rounds 7] [--requests 5000]

Each run is a fresh `nexus start` of its revision's own code with a fresh database. Counted are the
service's process, and all processes of the server. The ratio is the median of the rounds'.
"""

import trio

from benchmarks import outcome
from benchmarks.ground import Ground, open_ground, open_upstream
from benchmarks.nexus import REVISION, Nexus, checkout
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load, rounds

GOALS = {"http": (Goal("≤", 0.20), Goal("≤", 0.55)), "echo": (Goal("≤", 0.28), Goal("≤", 0.55))}
"""Of the service, of PostgreSQL; times the earlier revision's."""
TODAY = "today"


async def compare(
    found: Outcome, ground: Ground, sides: tuple[Nexus, Nexus], load: Load, count: int
) -> None:
    """One load: figures and ratios."""
    today, earlier = sides
    runs = await rounds(sides, ground, load, count)
    for what, goal in zip(("service", "server"), GOALS[load.name], strict=True):
        name = f"{load.name}: CPU a request, {'service' if what == 'service' else 'PostgreSQL'}"
        mine, theirs = (
            found.add(name, side.name, "µs", [getattr(it, what) for it in runs[side.name]])
            for side in (today, earlier)
        )
        found.divide(mine, theirs, goal)
    mine, theirs = (
        found.add(f"{load.name}: throughput", side.name, "/s", [it.rate for it in runs[side.name]])
        for side in (today, earlier)
    )
    found.divide(mine, theirs)


async def measure(sides: tuple[Nexus, Nexus], count: int, requests: int) -> Outcome:
    """Both loads."""
    found = Outcome("against")
    async with open_ground() as ground:
        async with open_upstream(ground) as url:
            load = Load("http", requests, 200, upstream=url)
            await compare(found, ground, sides, load, count)
        await compare(found, ground, sides, Load("echo", requests, 64), count)
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=7, requests=5000)
    parser.add_argument("revision", nargs="?", default=REVISION)
    asked = parser.parse_args()
    with checkout(asked.revision) as tree:
        if tree is None:
            print(f"no revision {asked.revision} here to be compared with")
            return
        sides = Nexus(TODAY), Nexus(asked.revision, tree)
        found = trio.run(measure, sides, asked.rounds, asked.requests)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
