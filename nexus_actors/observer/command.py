"""Runs the observer in a terminal, with the source that the command line selects."""

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
"""Seconds for a statement that acts. Statements that read have fewer."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def runner() -> asyncio.Runner:
    """A runner with asyncio's own event loop. Once trio_asyncio is imported, the default loop runs
    on trio, and the screen takes twice as long."""
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
    """Show the service that runs here, all nodes or one, until the user, SIGTERM or SIGHUP ends the
    observer. Returns the exit code, with the terminal restored. Raises unexpected exceptions of the
    app and of the trio thread, which end the observer.
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
