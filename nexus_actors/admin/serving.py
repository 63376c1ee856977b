"""The admin server put together. What it stands on is imported with this: late, and only where it
is wanted."""

from typing import Any, cast

from nexus_actors.admin.admin import Serve
from nexus_actors.admin.app import application
from nexus_actors.admin.connections import Connections
from nexus_actors.admin.counts import Counts
from nexus_actors.admin.sources import Sources
from nexus_actors.work.tallies import Tallies


def make_serve(sources: Sources, tallies: Tallies) -> Serve:
    """What answers each connection."""
    app = application(sources, tallies, Counts(sources.ask))
    return Connections(cast("Any", app)).serve  # both speak ASGI, each with types of its own
