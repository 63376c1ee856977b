"""Look for rows and answers that break what docs/delivery_guarantees.md promises.

    python -m fuzz [--inputs 100000] [--seed N] [--jobs 2] [--only PART]...

Looked for: an input whose CPU grows faster than its size, one that takes memory beyond its bound,
one that leaves a request without an end, and any error that is none of the documented ones. The
same seed draws the same inputs. Exits with 1 if something is found, and prints the least input
that shows it.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from fuzz.finding import Finding
from fuzz.plan import SHARES, Chunk, chunks, run_chunk

SHOWN = 40


def main() -> int:
    """Draw, and say what came of it."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", choices=sorted(SHARES), default=None)
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    found: dict[tuple[str, str, str], Finding] = {}
    done: dict[str, int] = {}
    plan = chunks(asked.inputs, seed, asked.only or sorted(SHARES))
    for chunk, findings in _results(plan, asked.jobs):
        done[chunk.part] = done.get(chunk.part, 0) + chunk.count
        seconds = time.monotonic() - began
        print(f"{sum(done.values()):,} of {asked.inputs:,} in {seconds:.0f} s", file=sys.stderr)
        for finding in findings:
            key = (finding.part, finding.what[:40], finding.where)
            if key not in found:
                print(finding, flush=True)
            found.setdefault(key, finding)
    counts = ", ".join(f"{count:,} {part}" for part, count in sorted(done.items()))
    seconds = time.monotonic() - began
    print(f"{sum(done.values()):,} inputs ({counts}) in {seconds:.0f} s: {len(found)} findings")
    return 1 if found else 0


def _results(plan: list[Chunk], jobs: int) -> Iterator[tuple[Chunk, list[Finding]]]:
    context = multiprocessing.get_context("spawn")
    # No `max_tasks_per_child`: with it, Python 3.11 can wait for ever for a process that has ended.
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running: dict[Future[list[Finding]], Chunk] = {
            pool.submit(run_chunk, chunk): chunk for chunk in plan
        }
        for future in as_completed(running):
            try:
                findings = future.result()
            except Exception as error:  # noqa: BLE001 - a mistake of ours is told with the rest
                crash, where = repr(error)[:300], str(error.__cause__)[-1500:]
                findings = [Finding(running[future].part, "the fuzzer crashed", crash, where)]
            yield running[future], findings


if __name__ == "__main__":
    sys.exit(main())
