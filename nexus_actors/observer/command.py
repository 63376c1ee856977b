"""The observer of a config: which source it has, and how it runs in a terminal."""

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from nexus_actors.monitoring.reading import LazyReader
from nexus_actors.observer.app import Observer
from nexus_actors.observer.fleet import FleetSource
from nexus_actors.observer.local import LocalSource
from nexus_actors.observer.source import Source
from nexus_actors.observer.thread import ThreadedSource, open_trio
from nexus_actors.storage.postgres.sql import Queues

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

STATEMENT: Final = 10.0
"""Seconds of a statement that acts; one that looks has fewer."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def runner() -> asyncio.Runner:
    """Of asyncio's own loop: with trio_asyncio imported, the usual one is a trio below it, and
    everything on the screen takes twice as long."""
    return asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)


async def observe(
    settings: "Settings",
    database_url: Callable[[], str | None],
    by: str,
    *,
    refresh: float,
    all_nodes: bool = False,
    node: str | None = None,
) -> int:
    """Show the service that runs here, or all nodes, or one, until its user, SIGTERM or SIGHUP ends
    it; the exit code. The terminal is then as it was.
    Raises what nobody expected, here or in the thread that asks, whose end is the observer's.
    """
    reader = LazyReader(
        database_url,
        Queues.of(settings.queue),
        command_timeout=STATEMENT,
        application_name="nexus observer",
    )
    shows = settings.dashboard.show_messages
    source: Source
    if all_nodes or node is not None:
        source = FleetSource(reader, by, node, shows_messages=shows)
    else:
        source = LocalSource(settings.service.data_dir, reader, by, shows_messages=shows)
    async with open_trio(reader.run) as thread:
        observer = Observer(ThreadedSource(thread, source), refresh=refresh)
        ended_by: list[int] = []

        def end(number: int) -> None:
            ended_by.append(number)
            observer.exit()

        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, end, number)
        try:
            await observer.run_async()
        finally:
            for number in _ENDING:
                loop.remove_signal_handler(number)
    if observer.failure is not None:
        raise observer.failure
    return 128 + ended_by[0] if ended_by else 0
