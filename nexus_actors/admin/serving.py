"""Puts the admin server together. This module is imported late, and only if the server is enabled,
since it imports the web libraries."""

from typing import Any, cast

import trio

from nexus_actors.admin.admin import Serve
from nexus_actors.admin.app import App, Receive, Scope, Send, application
from nexus_actors.admin.connections import Connections
from nexus_actors.admin.counts import Counts
from nexus_actors.admin.sources import Sources
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.monitoring.reading import LazyReader
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.work.tallies import Tallies


def make_serve(sources: Sources, tallies: Tallies, attempts: Attempts) -> Serve:
    """Build the function that serves the listeners. `attempts` outlives it, so that a restart does
    not help to guess tokens."""
    enabled = sources.in_force.settings.dashboard.enabled
    dashboard = LateDashboard(sources, attempts) if enabled else None
    app = application(sources, tallies, Counts(sources.ask), dashboard)
    connections = Connections(cast("Any", app))  # both are ASGI, with different types

    async def serve(listeners: list[trio.SocketListener]) -> None:
        async with trio.open_nursery() as nursery:
            if dashboard is not None:
                nursery.start_soon(dashboard.run)
            await connections.serve(listeners)

    return serve


class LateDashboard:
    """The dashboard, imported at its first request. Works while `run` runs."""

    def __init__(self, sources: Sources, attempts: Attempts) -> None:
        self._sources = sources
        self._attempts = attempts
        self._wanted = trio.Event()
        self._made = trio.Event()
        self._app: Any = None

    async def run(self) -> None:
        """Run the dashboard, once it is imported. Never returns."""
        await self._wanted.wait()
        if self._app is None:
            self._app = await trio.to_thread.run_sync(self._make)
            self._made.set()
        await self._app.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        self._wanted.set()
        await self._made.wait()
        app: App = self._app
        await app(scope, receive, send)

    def _make(self) -> Any:
        from nexus_actors.dashboard.app import Dashboard

        settings = self._sources.in_force.settings
        own = settings.dashboard.url.get_secret_value()
        status = self._sources.status
        reader = LazyReader(
            lambda: own or status.database_url,
            Queues.of(settings.queue),
            command_timeout=settings.database.statement_timeout,
        )
        return Dashboard(lambda: self._sources.in_force.settings, reader, self._attempts)
