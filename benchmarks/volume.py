"""Much that waits, and a long journal: do lease and finish stay as quick?

    python -m benchmarks.volume [--rounds 3] [--waiting 1000 100000 1000000] [--journal 10000000]

Not in the usual run, since it fills some gigabytes. Milliseconds of the two statements by
the server's own clock (`log_min_duration_statement`), median of a run; with N requests waiting, and
with a journal of so many rows, just filled and analysed.
"""

import re
from collections import defaultdict
from pathlib import Path
from statistics import median

import trio

from benchmarks import outcome
from benchmarks.ground import Ground, open_ground
from benchmarks.nexus import Nexus
from benchmarks.outcome import Figure, Goal, Outcome
from benchmarks.race import Load, run
from nexus_actors.storage.postgres.connection import PostgresPool, fetch

ALLOWED = Goal("≤", 1.5)
STATEMENTS = {"lease": "-- Lease up to", "finish": "-- End the requests of"}
"""By how their files begin."""
LOGGED = re.compile(r"duration: ([\d.]+) ms  execute [^:]*: (-- .{12,40})")
JOURNAL = """
INSERT INTO nexus.requests
    (request_id, queue, msg_id, read_ct, owner, state, digest, received_at, leased_at, finished_at)
SELECT 'old-' || n, 'ai_requests', -n, 1, 'bench', 'done', md5(n::text), now(), now(), now()
FROM generate_series(1, $1::int) AS n
"""


class Clock:
    """Reads of the server's log what is written from now on."""

    def __init__(self, ground: Ground) -> None:
        self._log = ground.folder / "postgres" / "postgres.log"
        self._read = self._size()

    def _size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def medians(self) -> dict[str, float]:
        """Of each of STATEMENTS, in milliseconds."""
        taken: dict[str, list[float]] = defaultdict(list)
        with Path(self._log).open(errors="replace") as file:
            file.seek(min(self._read, self._size()))
            for milliseconds, text in LOGGED.findall(file.read()):
                for name, begins in STATEMENTS.items():
                    if text.startswith(begins):
                        taken[name].append(float(milliseconds))
        return {name: median(it) for name, it in taken.items()}


async def timed(pool: PostgresPool) -> None:
    """Let the server log how long each statement of its next sessions takes."""
    (row,) = await pool.run(fetch, "SELECT current_database()")
    for setting in ("log_min_duration_statement = 0", "log_parameter_max_length = 0"):
        await pool.run(fetch, f"ALTER DATABASE {row[0]} SET {setting}")


async def one(ground: Ground, side: Nexus, load: Load, journal: int) -> dict[str, float]:
    """The medians of a run."""

    async def setting(pool: PostgresPool) -> None:
        if journal:
            await pool.run(fetch, JOURNAL, journal)
            await pool.run(fetch, "ANALYZE nexus.requests")
        await timed(pool)

    clock = Clock(ground)
    await run(side, ground, load, setting=setting)
    return clock.medians()


async def measure(count: int, requests: int, waiting: list[int], journal: int) -> Outcome:
    """Each size in turn."""
    found = Outcome("volume")
    side = Nexus("ours")
    cases = [(f"{it:,} waiting", it, 0) for it in waiting]
    cases.append((f"a journal of {journal:,}", waiting[0], journal))
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    async with open_ground() as ground:
        for _ in range(count):
            for name, behind, rows in cases:
                load = Load(name, requests, 64, behind=behind)
                for statement, value in (await one(ground, side, load, rows)).items():
                    samples[statement][name].append(value)
                print(name, {it: samples[it][name][-1] for it in samples}, flush=True)
    for statement, by_case in samples.items():
        first: Figure | None = None
        for name, values in by_case.items():
            figure = found.add(f"{statement}, p50", name, "ms", values)
            if first is None:
                first = figure
            else:
                found.divide(figure, first, ALLOWED)
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=3, requests=3000, journal=10_000_000)
    parser.add_argument("--waiting", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    asked = parser.parse_args()
    found = trio.run(measure, asked.rounds, asked.requests, asked.waiting, asked.journal)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
