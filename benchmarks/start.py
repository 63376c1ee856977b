"""From `nexus start` to ready: with a database there, and with an embedded one.

    python -m benchmarks.start [--rounds 7]

Ready is when the control socket answers; it is the last thing that starts. The database that is
there has been set up before. The embedded one is measured twice: its first start makes it.
"""

import sys
import time
from pathlib import Path

import trio

from benchmarks import outcome
from benchmarks.ground import SERVICE_CORES, Ground, child, open_ground
from benchmarks.nexus import Nexus, config, service
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load

LOOK = 0.005
LOAD = Load("start", 0, 8)


async def start(ground: Ground, text: str, data_dir: Path) -> float:
    """Seconds of one."""
    began = time.perf_counter()
    async with service(ground, text, data_dir, look=LOOK):
        return time.perf_counter() - began


async def imports(ground: Ground) -> float:
    """Seconds until a process has imported what the service does, and has ended."""
    command = [sys.executable, "-c", "import nexus_actors.application"]
    began = time.perf_counter()
    async with child(command, log=ground.file("imports.log"), where=SERVICE_CORES) as process:
        await process.wait()
        return time.perf_counter() - began


async def measure(count: int) -> Outcome:
    """In turns."""
    found = Outcome("start")
    taken: dict[str, list[float]] = {}
    async with open_ground() as ground:
        like = await Nexus("ours").template(ground)
        for _ in range(count):
            async with ground.database(like) as url:
                folder = ground.file("data")
                text = config(folder, LOAD, url=url)
                seconds = await start(ground, text, folder)
                taken.setdefault("with a database there", []).append(seconds)
            folder = ground.file("data")
            for name in ("embedded, the first", "embedded, again"):
                seconds = await start(ground, config(folder, LOAD), folder)
                taken.setdefault(name, []).append(seconds)
            taken.setdefault("its imports alone", []).append(await imports(ground))
    goals = {"with a database there": Goal("≤", 0.8), "embedded, the first": Goal("≤", 1.4)}
    for name, samples in taken.items():
        found.add(f"start → ready, {name}", "ours", "s", samples, goals.get(name))
    return found


def main() -> None:
    """Print and write."""
    asked = outcome.options(__doc__, rounds=7).parse_args()
    outcome.hand_in(trio.run(measure, asked.rounds), asked.results)


if __name__ == "__main__":
    main()
