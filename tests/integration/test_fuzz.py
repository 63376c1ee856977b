"""The fuzzer's own 500, the same each time: `make fuzz` draws 100,000, and others each time."""

from pathlib import Path

import pytest

from fuzz import growth, pure, service
from fuzz.finding import Finding
from fuzz.growth import Shape
from fuzz.row import LARGE, rows

SEED = 13


def show(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


async def test_every_row_has_one_end_and_harms_nobody(database_url: str, tmp_path: Path) -> None:
    drawn = [*pure.drawn(rows(), 96, SEED), *pure.drawn(rows(LARGE), 4, SEED)]
    async with service.open_bench(database_url, tmp_path) as bench:
        found = await service.through(bench, drawn)
    assert not found, show(found)


@pytest.mark.parametrize(
    ("part", "count"),
    [("requests", 120), ("answers", 160), ("failures", 40), ("texts", 40), ("places", 40)],
)
async def test_no_bytes_make_a_reader_raise_or_say_too_much(
    part: str, count: int, tmp_path: Path
) -> None:
    found = pure.run_part(part, count, SEED, tmp_path)
    assert not found, show(found)


@pytest.mark.parametrize(
    "shape",
    [
        Shape("request", 2, ("input", 2), "different items"),
        Shape("request", 1, ("messages", 1, "content", 1), "the item many times"),
        Shape("request", 0, ("messages", 0, "content"), "deep numbers"),
        Shape("chat events", 0, (1, "choices", 0, "delta", "content"), "words", 7),
        Shape("chat answer", 0, ("choices", 0, "message", "tool_calls", 0), "different items"),
    ],
    ids=str,
)
async def test_what_is_twice_as_long_takes_twice_the_calls_and_bounded_memory(
    shape: Shape,
) -> None:
    found = growth.counted(shape, 20_000)
    assert not found, show(found)
