"""Reloads under full load: what they cost, and that nothing is lost, cut or made twice.

    python -m benchmarks.reloads [--rounds 1] [--reloads 100] [--workers 100] [--requests 20000]

Real HTTP to an upstream that answers after 50 ms. All requests are in the queue before the first
reload; each changes how many workers there are, keys, limits, routes, and whether a provider is
there. Milliseconds from asking to the answer; and the requests a second meanwhile.
"""

import time
from pathlib import Path
from statistics import median

import trio

from benchmarks import outcome
from benchmarks.bench import Producer, echo, request, route
from benchmarks.ground import Ground, open_ground, open_upstream
from benchmarks.latency import producer
from benchmarks.nexus import HTTP, Nexus, service
from benchmarks.outcome import Outcome
from nexus_actors.operations import control

PATIENCE = 600.0
LATENCY = 0.05
PAUSE = 0.1
"""Seconds between two."""
BATCH = 1000


def config(data_dir: Path, database: str, upstream: str, workers: int, number: int) -> str:
    """The `number`th of the configs."""
    key = data_dir.with_suffix(".key")
    key.touch(0o600)
    key.write_text(f"key-number-{number:06}")
    text = f'[service]\nname = "bench"\ndata_dir = "{data_dir}"\n[database]\nurl = "{database}"\n'
    text += f'[providers.http]\n{HTTP.format(url=upstream)}\napi_key_file = "{key}"\n'
    text += f"pool_size = {workers - number % 5 * workers // 10}\n"
    if number % 3 == 1:
        text += "requests_per_minute = 10000000\n"
    if number % 4 < 2:
        text += echo("third", workers=workers // 10 + 1, latency=LATENCY)
        text += route("complex", "third/echo")
    return text + route("*", "http/m")


async def answered(sender: Producer) -> int:
    """How many requests are."""
    ((count,),) = await sender.rows("SELECT count(*) FROM job_results")
    return int(count)


async def one(
    ground: Ground, like: str, reloads: int, workers: int, requests: int
) -> tuple[list[float], float]:
    """Milliseconds of each, and the requests a second meanwhile. Raises if one request was not
    answered, or was called for more than once."""
    async with (
        open_upstream(ground, latency=LATENCY) as upstream,
        ground.database(like) as url,
        producer(url) as sender,
    ):
        for start in range(0, requests, BATCH):
            numbers = range(start, start + BATCH)
            kinds = ("complex" if n % 10 == 0 else "simple" for n in numbers)
            await sender.send(*map(request, numbers, kinds))
        folder, took = ground.file("data"), []
        text = config(folder, url, upstream, workers, 0)
        async with service(ground, text, folder) as process:
            file = Path(str(process.args[-1]))
            began, before = time.perf_counter(), await answered(sender)
            for number in range(1, reloads + 1):
                file.write_text(config(folder, url, upstream, workers, number))
                asked = time.perf_counter()
                told = await control.ask(folder, "reload")
                took.append((time.perf_counter() - asked) * 1000)
                if not isinstance(told, dict) or not told["ok"]:
                    raise RuntimeError(f"reload {number}: {told}")
                await trio.sleep(PAUSE)
            rate = (await answered(sender) - before) / (time.perf_counter() - began)
            with trio.fail_after(PATIENCE):
                while await answered(sender) < requests:
                    await trio.sleep(0.1)
            rows = await sender.rows("SELECT outcome, count(*) FROM nexus.attempts GROUP BY 1")
            if (outcomes := {it[0]: it[1] for it in rows}) != {"ok": requests}:
                raise RuntimeError(f"not each request was called for once: {outcomes}")
    return took, rate


async def measure(count: int, reloads: int, workers: int, requests: int) -> Outcome:
    """The rounds."""
    found = Outcome("reloads")
    medians, worst, rates = [], [], []
    async with open_ground() as ground:
        like = await Nexus("ours").template(ground)
        for _ in range(count):
            took, rate = await one(ground, like, reloads, workers, requests)
            medians.append(median(took))
            worst.append(max(took))
            rates.append(rate)
            print(f"a reload {medians[-1]:.1f} ms, {rate:,.0f} requests/s meanwhile")
    name = f"a reload, of {reloads} under full load"
    found.add(f"{name}: median", "ours", "ms", medians)
    found.add(f"{name}: the longest", "ours", "ms", worst)
    found.add(f"requests meanwhile, {workers} workers", "ours", "/s", rates)
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=1, reloads=100, workers=100, requests=20_000)
    asked = parser.parse_args()
    found = trio.run(measure, asked.rounds, asked.reloads, asked.workers, asked.requests)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
