"""Which inputs are drawn: parts, their shares, and chunks of them that processes take in turn."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import trio

from fuzz import service
from fuzz.finding import Finding
from fuzz.pure import drawn, run_part
from fuzz.row import LARGE, SIZES, Row, rows
from tests.postgres import TEMPLATE, new_database, running_server

SHARES: Final = {
    "rows": 0.08,
    "growth": 0.01,
    "requests": 0.30,
    "answers": 0.35,
    "failures": 0.12,
    "texts": 0.10,
    "places": 0.04,
}
"""Of the inputs; those first that take longest."""
CHUNK: Final = {"rows": 1600, "growth": 50, "requests": 1000}
"""Inputs that one process draws at once; of the parts that are not here, 2,500."""
BATCH: Final = 100
"""Rows that are in the queue at once."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Inputs of one part."""

    part: str
    count: int
    number: int
    """What they are drawn by."""


def chunks(inputs: int, seed: int, parts: Sequence[str]) -> list[Chunk]:
    """All of them, each part's share; of fewer parts, as many as their shares are of the whole."""
    found = []
    for place, (part, share) in enumerate(SHARES.items()):
        left, number = round(inputs * share), 0
        while left > 0 and part in parts:
            count = min(left, CHUNK.get(part, 2500))
            found.append(Chunk(part, count, seed * 10_000 + place * 1000 + number))
            left, number = left - count, number + 1
    return found


def run_chunk(chunk: Chunk) -> list[Finding]:
    """Draw the chunk's inputs, in a process of its own, and say what is wrong with them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="nexus-fuzz-", ignore_cleanup_errors=True) as folder:
        if chunk.part == "rows":
            return _rows(chunk, Path(folder))
        return trio.run(_pure, chunk, Path(folder))


async def _pure(chunk: Chunk, folder: Path) -> list[Finding]:
    """Within a loop, whose clock the streams look at."""
    return run_part(chunk.part, chunk.count, chunk.number, folder)


def _rows(chunk: Chunk, folder: Path) -> list[Finding]:
    few = max(chunk.count // 400, 1)
    small = drawn(rows(SIZES), chunk.count - few, chunk.number)
    large = drawn(rows(LARGE), few, chunk.number)
    mixed = _spread(small, large)
    with running_server(folder) as server, new_database(server, "fuzz", TEMPLATE) as url:
        return trio.run(through_batches, url, folder, mixed)


def _spread(small: Sequence[Row], large: Sequence[Row]) -> list[Row]:
    """The large ones among the small ones, evenly."""
    step = max(len(small) // max(len(large), 1), 1)
    mixed: list[Row] = []
    for place, row in enumerate(small):
        mixed.append(row)
        if place % step == 0 and place // step < len(large):
            mixed.append(large[place // step])
    return mixed


async def through_batches(url: str, folder: Path, every: Sequence[Row]) -> list[Finding]:
    """All rows, a batch at a time; a batch with a fault is taken apart until the row is found."""
    found: list[Finding] = []
    place = 0
    while place < len(every):
        async with service.open_bench(url, folder / f"run{place}") as bench:
            faulty: Sequence[Row] = ()
            wrong: list[Finding] = []
            while place < len(every) and not wrong:
                faulty = every[place : place + BATCH]
                wrong = await service.through(bench, faulty)
                place += BATCH
        if wrong:
            found += await service.narrowed(url, folder, faulty) or wrong[:5]
    return found
