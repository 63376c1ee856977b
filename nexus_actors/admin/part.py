"""The admin server's part of the supervision tree; empty unless `[admin] listen` is set."""

from collections.abc import Sequence
from pathlib import Path

from nexus_actors.admin.admin import Admin, Place, Serve
from nexus_actors.admin.sources import Sources
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.work.tallies import Tallies
from supervisors import ChildSpec, Supervisor


class AdminPart:
    """Builds the admin server's actors, and owns what outlives them: its place and its counts."""

    def __init__(self, sources: Sources, data_dir: Path) -> None:
        self._sources = sources
        self.place = Place(sources.in_force.settings.admin.listen, data_dir)
        self._tallies: Tallies | None = None
        self._attempts = Attempts()
        if self.place.listen:
            self._tallies = sources.tables.metrics.tallies = Tallies(sources.in_force)

    def children(self) -> Sequence[ChildSpec]:
        """For the root, before the slow children, so that health is served while they start and
        stop. Transient: if the supervisor gives up, an orderly exit, the root continues."""
        if self._tallies is None:
            return ()
        named = "Admin.Supervisor"
        return [ChildSpec(named, self._supervisor, type="supervisor", restart="transient")]

    def _supervisor(self) -> Supervisor:
        max_restarts, max_seconds = self._sources.in_force.settings.supervision.limits(1)
        return Supervisor(
            [ChildSpec("Admin", self._admin)],
            name="Admin.Supervisor",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    def _admin(self) -> Admin:
        tallies = self._tallies
        assert tallies is not None  # noqa: S101 - see children
        outages = self._sources.tables.outages
        return Admin(place=self.place, make=self._make, outages=outages, lag=tallies.loop_lag)

    def _make(self) -> Serve:
        from nexus_actors.admin.serving import make_serve

        assert self._tallies is not None  # noqa: S101 - see children
        return make_serve(self._sources, self._tallies, self._attempts)
