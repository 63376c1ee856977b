"""Reads all nodes from the database: what they write every few seconds, and the sights that they
write on request."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import trio

from nexus_actors.monitoring.nodes import Sight, look
from nexus_actors.monitoring.reading import Reader
from nexus_actors.observer.local import (
    actor_snapshot,
    mean,
    provider_snapshots,
    queue_snapshots,
    total,
)
from nexus_actors.observer.rounds import Calls, Rounds, calls_between
from nexus_actors.observer.snapshots import (
    ActorSnapshot,
    LogLine,
    Overview,
    ProviderSnapshot,
    TraceSnapshot,
    TreeSnapshot,
)
from nexus_actors.observer.source import Away
from nexus_actors.observer.stored import Stored, answering, node_snapshot
from nexus_actors.storage.postgres.connection import collapsed_groups
from nexus_actors.storage.postgres.node_store import NodeStatus, list_nodes

MOST_NODES: Final = 20
"""The most running nodes that are asked for sights."""
_SILENT: Final = "it shows nothing yet; one of an earlier release never does"


class FleetSource(Stored):
    """A Source, on trio. `which` is a node's id, the beginning of an id, a name or a host; None for
    all nodes."""

    def __init__(
        self, reader: Reader, by: str, which: str | None = None, *, shows_messages: bool = False
    ) -> None:
        super().__init__(reader, by, shows_messages=shows_messages)
        self.subject = "all nodes" if which is None else f"node {which}"
        self._which = which
        self._rounds = Rounds(None, reader.queues, self._looking)
        self._before: dict[str, tuple[datetime, Mapping[str, Any]]] = {}
        """The previous status of each node and its time, for the rates."""
        self._calls: dict[str, Mapping[str, Calls]] = {}

    async def overview(self) -> Overview:
        """See Source."""
        now = await self._rounds.next()
        nodes = self._meant(self._rounds.nodes)
        statuses = await self._statuses(nodes)
        calls = [it for one in self._calls.values() for it in one.values()]
        counts = Counter(it.state for it in nodes if it.state != "stopped")
        states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
        paused = {it: None for status in statuses.values() for it in status["paused"]}
        return Overview(
            state=_worst(counts),
            summary=f"nodes: {states or 'none runs'}",
            outages={it.name: it.why for it in nodes if it.why},
            paused=list(paused),
            waiting=now.waiting,
            rate=total([it.answered_per_second for it in calls]),
            failed_rate=total([it.failed_per_second for it in calls]),
            mean_ms=mean(calls),
            spent_day=total([it.spent_day for it in now.providers.values()]),
            queues=list(queue_snapshots(now)),
            nodes=[node_snapshot(it) for it in nodes],
            trouble=now.trouble,
        )

    async def providers(self) -> Sequence[ProviderSnapshot]:
        """See Source."""
        nodes = await self._nodes()
        statuses = await self._statuses(nodes)
        return [
            it
            for node in nodes
            if node.node in statuses
            for it in provider_snapshots(node.name, statuses[node.node], self._calls[node.node])
        ]

    async def trees(self) -> Sequence[TreeSnapshot]:
        """See Source."""
        nodes = _running(await self._nodes())
        sights = await self._look(nodes, "tree")
        return [_tree(it, sights.get(it.node)) for it in nodes]

    async def log(self) -> Sequence[LogLine]:
        """See Source: the last error of each node."""
        nodes = await self._nodes()
        return [
            LogLine(key=it.node, when="", level="error", text=f"{it.name}: {it.last_error}")
            for it in nodes
            if it.last_error
        ]

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        """See Source."""
        with answering():
            sight = await look(self._reader, node, f"actor {name}", self._by)
        return actor_snapshot(_body(sight))

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        """See Source."""
        return TraceSnapshot(lines=[], ended="an actor is traced at its node: nexus observer there")

    async def end_trace(self, node: str, name: str) -> None:
        """See Source."""

    async def _nodes(self) -> Sequence[NodeStatus]:
        with answering():
            return self._meant(await self._looking.run(list_nodes))

    def _meant(self, nodes: Sequence[NodeStatus]) -> Sequence[NodeStatus]:
        which = self._which
        if which is None:
            return nodes
        return [it for it in nodes if which in (it.name, it.host) or it.node.startswith(which)]

    async def _look(self, nodes: Sequence[NodeStatus], what: str) -> Mapping[str, Sight | None]:
        found: dict[str, Sight | None] = {}

        async def see(node: str) -> None:
            found[node] = await look(self._reader, node, what, self._by)

        with answering(), collapsed_groups():
            async with trio.open_nursery() as nursery:
                for it in nodes:
                    nursery.start_soon(see, it.node)
        return found

    async def _statuses(self, nodes: Sequence[NodeStatus]) -> Mapping[str, Mapping[str, Any]]:
        """Read the status of each node that shows it, and compute the calls since the last one."""
        statuses: dict[str, Mapping[str, Any]] = {}
        for node, sight in (await self._look(_running(nodes), "status")).items():
            if sight is not None and sight.is_fresh and sight.error is None:
                statuses[node] = sight.body
                self._count(node, sight)
        for gone in self._before.keys() - statuses.keys():
            del self._before[gone], self._calls[gone]
        return statuses

    def _count(self, node: str, sight: Sight) -> None:
        at, before = self._before.get(node, (sight.at, sight.body))
        seconds = (sight.at - at).total_seconds()
        if seconds == 0.0 and node in self._calls:
            return  # the same status again
        self._before[node] = (sight.at, sight.body)
        earlier = before["providers"] if seconds else {}
        self._calls[node] = {
            name: calls_between(now, earlier.get(name), seconds, None)
            for name, now in sight.body["providers"].items()
        }


def _running(nodes: Sequence[NodeStatus]) -> Sequence[NodeStatus]:
    return [it for it in nodes if it.state not in ("lost", "stopped")][:MOST_NODES]


def _worst(counts: Mapping[str, int]) -> str:
    if not counts:
        return "unknown"
    return next((it for it in ("lost", "degraded") if it in counts), "ready")


def _tree(node: NodeStatus, sight: Sight | None) -> TreeSnapshot:
    try:
        root = _body(sight)["tree"]
    except Away as away:
        return TreeSnapshot(node=node.node, name=node.name, root=None, why=str(away))
    return TreeSnapshot(node=node.node, name=node.name, root=root)


def _body(sight: Sight | None) -> Mapping[str, Any]:
    """The content of a sight. Raises Away."""
    if sight is None:
        raise Away(_SILENT)
    if sight.error is not None:
        raise Away(sight.error)
    if not sight.is_fresh:
        raise Away(f"it has shown nothing new for {sight.age:.0f} s")
    return sight.body
