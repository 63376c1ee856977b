"""`nexus top`: a live view of queues, providers, rates, spend and nodes."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nexus_actors.cli.database import queues_of, running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import print_json
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from nexus_actors.observer.rounds import Round
    from nexus_actors.settings import Settings

INTERVAL = 2.0
"""Seconds between two refreshes."""
FIRST_INTERVAL = 1.0
"""Seconds over which a single round measures rates."""


def top(
    *,
    once: Annotated[
        bool, Parameter(name="--once", negative="", help="Measure for one second, print, and exit.")
    ] = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Watch queues, providers, rates and spend, refreshed every two seconds.

    Shows what waits in the queues and for how long; per provider the running and waiting requests,
    calls answered and failed per second, their mean latency since the last round, and spend; and
    the state of the nodes. q or Ctrl-C ends it.

    Calls are those of the service that runs here with this config; queues, spend and nodes come
    from the database. Spend counts finished requests; days begin at midnight UTC. With --json each
    round is one line.

    Example: nexus top --once
    """
    settings = read_settings(config)
    run(_watch, settings, running_database(settings), once, json)


async def _watch(settings: "Settings", url: str, once: bool, json: bool) -> None:
    import trio

    from nexus_actors.observer.rounds import Rounds
    from nexus_actors.storage.postgres.connection import open_postgres

    async with open_postgres(url, pool_size=2, application_name="nexus top") as pool:
        rounds = Rounds(settings.service.data_dir, queues_of(settings), pool)
        if once:
            await rounds.next()
            await trio.sleep(FIRST_INTERVAL)
            with _output(json) as show:
                show(await rounds.next())
            return
        with _output(json, renewed=True) as show:
            async with _until_q():
                while True:
                    show(await rounds.next())
                    await trio.sleep(INTERVAL)


@contextmanager
def _output(json: bool, *, renewed: bool = False) -> Iterator[Callable[["Round"], None]]:
    """Yield a function that shows a round: as JSON, as a table, or in place of the last one."""
    if json:
        yield lambda it: print_json(asdict(it), indent=None)
        return
    from nexus_actors.cli.screen import Screen
    from nexus_actors.cli.top_view import render

    screen = Screen()
    if not (renewed and screen.is_terminal):
        yield lambda it: screen.print(render(it, screen.width))
        return
    from rich.live import Live

    # rich's refresh thread would print while trio runs.
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        yield lambda it: live.update(render(it, screen.width), refresh=True)


@asynccontextmanager
async def _until_q() -> AsyncIterator[None]:
    """Cancel the block when q is typed. Without a keyboard, just run it."""
    import trio

    typing = sys.stdin is not None and sys.stdin.isatty()
    with _typed_at_once() if typing else nullcontext():
        async with trio.open_nursery() as nursery:
            if typing:
                nursery.start_soon(_typed_q, nursery.cancel_scope.cancel)
            yield
            nursery.cancel_scope.cancel()


async def _typed_q(then: Callable[[], None]) -> None:
    import os

    import trio

    while True:
        await trio.lowlevel.wait_readable(sys.stdin)
        typed = os.read(sys.stdin.fileno(), 64)
        if not typed or b"q" in typed.lower():
            return then()


@contextmanager
def _typed_at_once() -> Iterator[None]:
    """Read keys as they are typed, without echo; restore the terminal afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
