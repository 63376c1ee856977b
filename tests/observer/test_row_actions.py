"""What an operator does from the observer: asked once, shown as SQL and command, then done."""

import asyncio

from textual.pilot import Pilot

from tests.observer.fake import (
    FakeSource,
)
from tests.observer.screens import until, watch


def test_an_action_asks_once_shows_its_forms_and_is_done_by_yes_alone() -> None:
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "Router")
        await pilot.press("down")
        for keys, cli, sql in _ACTIONS:
            if len(keys) > 1:
                await pilot.press(keys[0])
                await until(pilot, _ROW[keys[0]])
            await pilot.press(keys[-1])
            shown = await until(pilot, "Yes (y)", cli, sql)
            assert "No (n)" in shown
            await pilot.press("n")
            await until(pilot, "7 Log")
        assert source.acts == []
        await pilot.press("d")
        await until(pilot, "Yes (y)")
        await pilot.press("y")
        while not source.acts:
            await asyncio.sleep(0.02)

    watch(source, play)
    assert [it.cli for it in source.acts] == ["nexus dead purge 17"]


_ACTIONS = [
    ("k", "nexus restart Registry", ""),
    ("K", "nexus restart Registry --now", ""),
    ("3p", "nexus pause provider openai", "SELECT nexus.pause('provider', 'openai');"),
    ("u", "nexus resume provider openai", "nexus.resume('provider', 'openai')"),
    ("4c", "nexus cancel request-1", "SELECT nexus.cancel('request-1');"),
    ("6t", "nexus dead retry 17", "pgmq.send"),
    ("d", "nexus dead purge 17", "pgmq.delete"),
]
_ROW = {"3": "anthropic", "4": "request-1", "6": "request-17"}


def test_scale_asks_for_a_number_and_takes_no_other() -> None:
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await until(pilot, "anthropic")
        await pilot.press("s")
        await until(pilot, "Calls at once to openai")
        await pilot.press(*"many", "enter")
        await until(pilot, "expected 0 to 9999")
        await pilot.press("s")
        await until(pilot, "Calls at once to openai")
        await pilot.press(*"64", "enter")
        await until(pilot, "nexus scale openai 64")
        await pilot.press("y")
        while not source.acts:
            await asyncio.sleep(0.02)

    watch(source, play)
    assert [it.cli for it in source.acts] == ["nexus scale openai 64"]


def test_nothing_is_done_to_what_cannot_be_meant() -> None:
    """The root is the service itself; what has ended is not cancelled; a refusal is said."""
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "Router")
        await pilot.press("k")
        await until(pilot, "choose an actor below the root first")
        await pilot.press("4")
        await until(pilot, "request-2")
        await pilot.press("down", "c")
        await until(pilot, "choose a request that has not ended first")
        await pilot.press("up", "c")
        await until(pilot, "Yes (y)")
        source.away = "the database is away: connection refused"
        await pilot.press("y")
        await until(pilot, "nexus observer", "the database is away")

    watch(source, play)
    assert source.acts == []
