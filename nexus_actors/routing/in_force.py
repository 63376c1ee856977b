"""The config in force: the settings, and the routes derived from them."""

import trio

from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Settings


class InForce:
    """The current settings and routes, for the life of the process. Actors read them at each use,
    so that a reload takes effect. A reload swaps both together, and nothing else writes here.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.routes = Routes(settings)
        self.changed = trio.Event()
        """Set at the next change, then replaced by a new event. For actors that sleep for a
        configured time, or keep something in accordance with the settings."""
        self.removed: set[str] = set()
        """Providers that a reload has removed, until what waits for them is released. One may never
        have been started: reloads can follow each other faster than providers start."""

    def swap(self, settings: Settings, routes: Routes) -> None:
        """Put these in force."""
        self.removed |= self.settings.providers.keys() - settings.providers.keys()
        self.settings, self.routes = settings, routes
        self.tell()

    def tell(self) -> None:
        """Wake everyone who waits for a change."""
        self.changed.set()
        self.changed = trio.Event()
