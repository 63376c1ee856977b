"""A thread of trio, asked from asyncio; and what is seen of it when it ends by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partialmethod
from typing import Any

import pytest
import trio
import trio.lowlevel

from nexus_actors.observer.app import Observer
from nexus_actors.observer.command import observe, runner
from nexus_actors.observer.thread import TrioThread, open_trio
from tests.unit.parts import settings

LIMIT = 60.0
"""Seconds; hardly ever used up."""


class Mistake(Exception):
    """Ours."""


def run(
    play: Callable[[TrioThread], Awaitable[None]],
    background: Callable[[], Awaitable[None]] = trio.sleep_forever,
) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT), open_trio(background) as thread:
            await play(thread)

    with runner() as running:
        running.run(main())


def test_results_and_errors_come_back() -> None:
    async def double(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return 2 * number

    async def fail() -> None:
        raise Mistake

    async def play(thread: TrioThread) -> None:
        assert await asyncio.gather(*(thread.run(double, n) for n in range(3))) == [0, 2, 4]
        with pytest.raises(Mistake):
            await thread.run(fail)
        assert await thread.run(double, 21) == 42

    run(play)


def test_who_is_cancelled_is_cancelled_there_too() -> None:
    async def play(thread: TrioThread) -> None:
        began, ended = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def wait() -> None:
            loop.call_soon_threadsafe(began.set)
            try:
                await trio.sleep_forever()
            finally:
                loop.call_soon_threadsafe(ended.set)

        waiting = asyncio.create_task(thread.run(wait))
        await began.wait()
        waiting.cancel()
        await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(play)


@pytest.mark.parametrize("returns", [False, True])
def test_when_the_thread_ends_whoever_waits_is_told_and_so_is_who_comes_later(
    returns: bool,
) -> None:
    ends = trio.Event()

    async def background() -> None:
        await ends.wait()
        if not returns:
            raise Mistake

    async def wait() -> None:
        ends.set()
        await trio.sleep_forever()

    async def play(thread: TrioThread) -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the thread of trio has ended"):
                await thread.run(wait)

    with pytest.RaisesGroup(RuntimeError if returns else Mistake):
        run(play, background)


def test_the_observer_ends_with_the_error_that_ended_its_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The screen would stand there for ever, with what was true once."""

    def url() -> str:
        raise Mistake

    monkeypatch.setattr(Observer, "run_async", partialmethod(Observer.run_async, headless=True))

    async def main() -> None:
        async with asyncio.timeout(LIMIT):
            await observe(settings(service={"data_dir": str(tmp_path)}), url, "me", refresh=3600)

    with pytest.RaisesGroup(Mistake), runner() as running:
        running.run(main())
