"""What only the database knows is asked seldom, and never for long."""

from pathlib import Path

import pytest
import trio
import trio.testing

from nexus_actors.admin.counts import FRESH, TIMEOUT, TIMES, Counts
from nexus_actors.storage.errors import StorageRefused, StorageUnavailable
from tests.unit.admin.services import COUNTED, Tabled

Clock = trio.testing.MockClock


@pytest.fixture
def tabled(tmp_path: Path) -> Tabled:
    return Tabled(tmp_path)


async def test_ten_scrapers_cost_one(tabled: Tabled, autojump_clock: Clock) -> None:
    async def take_a_moment() -> None:
        await trio.sleep(0.1)

    tabled.on_ask = take_a_moment
    counts, found = Counts(tabled.ask), []

    async def scrape() -> None:
        found.append(await counts.read())

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(scrape)
    assert found == [COUNTED] * 10
    assert tabled.asked == 1
    await trio.sleep(FRESH)
    await counts.read()
    assert tabled.asked == 2


async def test_a_database_that_hangs_holds_a_scrape_for_two_seconds_and_the_next_not_at_all(
    tabled: Tabled, autojump_clock: Clock
) -> None:
    tabled.on_ask = trio.sleep_forever
    counts, began = Counts(tabled.ask), trio.current_time()
    assert await counts.read() is None
    assert trio.current_time() - began == TIMEOUT == 2.0
    assert await counts.read() is None
    assert trio.current_time() - began == TIMEOUT
    assert tabled.asked == 1
    assert not counts.unavailable  # it may only have much to count


async def test_counting_takes_a_twentieth_of_its_time_at_most(
    tabled: Tabled, autojump_clock: Clock
) -> None:
    async def take_a_second() -> None:
        await trio.sleep(1)

    tabled.on_ask = take_a_second
    counts = Counts(tabled.ask)
    await counts.read()
    await trio.sleep(TIMES - 0.5)
    assert await counts.read() == COUNTED
    assert tabled.asked == 1
    await trio.sleep(0.5)
    await counts.read()
    assert tabled.asked == 2


@pytest.mark.parametrize(
    ("error", "is_away"), [(StorageUnavailable("away"), True), (StorageRefused("no"), False)]
)
async def test_what_it_refuses_is_absent_and_not_asked_again_at_once(
    error: Exception, is_away: bool, tabled: Tabled, autojump_clock: Clock
) -> None:
    async def fail() -> None:
        raise error

    tabled.on_ask = fail
    counts = Counts(tabled.ask)
    assert await counts.read() is None
    assert counts.unavailable is is_away
    assert await counts.read() is None
    assert tabled.asked == 1
    tabled.on_ask = None
    await trio.sleep(FRESH)
    assert await counts.read() == COUNTED
    assert not counts.unavailable
