"""The log's last lines, as the observer asks for them."""

import pytest

from nexus_actors.operations.control import CommandRefused
from nexus_actors.operations.last_lines import (
    LONGEST,
    MOST_CHARACTERS,
    MOST_LINES,
    LastLines,
)


async def test_lines_after_the_last_that_was_told_are_told() -> None:
    lines = LastLines()
    lines.add("info", "one")
    first = await lines({})
    lines.add("error", "two")
    assert first == {"of": lines.id, "last": 1, "lines": [(1, "info", "one")]}
    told = await lines({"after": 1, "of": lines.id})
    assert told == {"of": lines.id, "last": 2, "lines": [(2, "error", "two")]}


async def test_whoever_knows_another_process_is_told_all() -> None:
    lines = LastLines()
    lines.add("info", "one")
    told = await lines({"after": 7, "of": "another"})
    assert told == {"of": lines.id, "last": 1, "lines": [(1, "info", "one")]}


async def test_they_are_bounded_in_number_and_in_size() -> None:
    lines = LastLines()
    for number in range(MOST_LINES + 10):
        lines.add("info", str(number))
    assert len((await lines({}))["lines"]) == MOST_LINES
    for _ in range(100):
        lines.add("info", "x" * (LONGEST * 2))
    told = (await lines({}))["lines"]
    assert all(len(text) == LONGEST for _, _, text in told)
    assert sum(len(text) for _, _, text in told) <= MOST_CHARACTERS


@pytest.mark.parametrize("wrong", [{"after": "1"}, {"after": True}, {"of": 1}])
async def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CommandRefused, match="after: expected a number"):
        await LastLines()(wrong)
