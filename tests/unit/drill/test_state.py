"""When a drill gives up."""

import trio
from trio.testing import MockClock

from nexus_actors.drill.state import STANDSTILL, State


async def test_it_stands_still_if_nothing_ends_is_killed_or_restarted(
    autojump_clock: MockClock,
) -> None:
    state = State(sent=2)
    await trio.sleep(STANDSTILL)
    assert not state.stands_still
    await trio.sleep(1)
    assert state.stands_still
    state.saw(1)
    assert not state.stands_still


async def test_a_kill_is_no_standstill_but_part_of_the_outage(autojump_clock: MockClock) -> None:
    state = State(sent=2)
    await trio.sleep(STANDSTILL)
    state.acted()
    await trio.sleep(STANDSTILL)
    assert not state.stands_still
    state.saw(1)
    assert state.longest_outage == 2 * STANDSTILL
