"""The config in force: the settings, and the routes made of them."""

import trio

from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Settings


class InForce:
    """One for the life of a process. Actors look here whenever they need a setting, so that a
    reload holds from then on; both are swapped as one. Only a reload writes.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.routes = Routes(settings)
        self.changed = trio.Event()
        """Set at the next change, and then another: for who sleeps for as long as a setting says,
        or keeps something in accordance with them."""

    def swap(self, settings: Settings, routes: Routes) -> None:
        """From now on these hold."""
        self.settings, self.routes = settings, routes
        self.tell()

    def tell(self) -> None:
        """Wake who waits for a change."""
        self.changed.set()
        self.changed = trio.Event()
