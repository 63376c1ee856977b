"""Requests a second beside what one would build instead, on the same server in the same run.

    python -m benchmarks.peers [--rounds 5] [--requests 10000] [--calls 2000]

With nothing to do (`echo`): pgqueuer at batches of 100, procrastinate, Oban for Python. Our
journal, two queues and row stand there against their one table. Over real HTTP: a pgqueuer worker
that calls an SDK and stores the answer. All as their own documents recommend.
"""

import trio

from benchmarks import outcome
from benchmarks.ground import Ground, open_ground, open_upstream
from benchmarks.nexus import Nexus
from benchmarks.outcome import Goal, Outcome
from benchmarks.peers.sides import Peer, oban, pgqueuer, procrastinate
from benchmarks.race import Load, rounds

OURS = "ours"
GOALS = {
    "pgqueuer": Goal("≥", 0.5),
    "pgqueuer + OpenAI SDK": Goal("≥", 10),
    "pgqueuer + LiteLLM": Goal("≥", 10),
}
"""Times the peer's requests a second."""


async def beside(found: Outcome, ground: Ground, peers: list[Peer], load: Load, count: int) -> None:
    """One load."""
    there: list[Peer] = []
    for peer in peers:
        if version := peer.version():
            found.versions[peer.package] = version
            there.append(peer)
        else:
            found.notes.append(f"{peer.name} is not there")
    runs = await rounds([Nexus(OURS), *there], ground, load, count)
    name = f"{load.name}: throughput"
    rates = {
        side: found.add(name, side, "/s", [it.rate for it in done]) for side, done in runs.items()
    }
    for side, done in runs.items():
        found.add(f"{load.name}: CPU a request", side, "µs", [it.service for it in done])
        if side != OURS:
            found.divide(rates[OURS], rates[side], GOALS.get(side))


async def measure(count: int, requests: int, calls: int) -> Outcome:
    """Both loads."""
    found = Outcome("peers")
    async with open_ground() as ground:
        load = Load("echo", requests, 64)
        await beside(found, ground, [pgqueuer(), procrastinate(), oban()], load, count)
        async with open_upstream(ground) as url:
            load = Load("http", calls, 200, upstream=url)
            await beside(found, ground, [pgqueuer("openai"), pgqueuer("litellm")], load, count)
    return found


def main() -> None:
    """Print and write."""
    asked = outcome.options(__doc__, rounds=5, requests=10_000, calls=2000).parse_args()
    found = trio.run(measure, asked.rounds, asked.requests, asked.calls)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
