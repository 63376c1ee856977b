"""An observer without a terminal, and what stands on its screen."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from nexus_actors.observer.app import Observer
from nexus_actors.observer.command import runner
from nexus_actors.observer.source import Source

LIMIT = 60.0
"""Seconds for anything to be shown; hardly ever used up."""
Play = Callable[[Pilot[None]], Awaitable[None]]


def watch(
    source: Source, play: Play, *, size: tuple[int, int] = (80, 24), refresh: float = 0.25
) -> Observer:
    """Have `play` press keys; the observer, ended."""

    async def main() -> Observer:
        app = Observer(source, refresh=refresh)
        async with app.run_test(size=size) as pilot:
            await until(pilot, "at work  restarts")
            await pilot.pause()  # the focus is taken: until then a key may be lost
            await play(pilot)
        return app

    with runner() as running:
        return running.run(main())


def text(pilot: Pilot[None]) -> str:
    """What stands on the screen, line by line; of a window above it, what stands in that."""
    screen = pilot.app.screen
    return "\n".join(strip.text for strip in screen._compositor.render_strips())


async def until(pilot: Pilot[None], *words: str, gone: str = "") -> str:
    """Wait until all of these are on the screen, and `gone` is not; the screen."""
    deadline = time.monotonic() + LIMIT
    while True:
        shown = text(pilot)
        if all(it in shown for it in words) and not (gone and gone in shown):
            return shown
        assert time.monotonic() < deadline, f"waited for {words}, without {gone!r}:\n{shown}"
        await asyncio.sleep(0.02)
