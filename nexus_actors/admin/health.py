"""Readiness for load balancers and orchestrators, from the passive tables without a query."""

from dataclasses import dataclass
from typing import Final

from nexus_actors.operations.status import Status, Tables
from nexus_actors.storage.nodes import NodeState
from nexus_actors.storage.outages import Outages

DATABASE_STAGES: Final = ("QueueConsumer", "Heartbeat", "Steering", "embedded PostgreSQL")
"""The stages that query the database every few seconds, even without work."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service would lease requests now."""

    state: NodeState
    reasons: tuple[str, ...]
    """Why it would not, by name; empty if it would."""
    outages: tuple[str, ...]
    """Causes of the state degraded. Most do not keep it from leasing."""
    paused: tuple[str, ...]
    """Paused subjects. They do not count: operators set them, for other nodes too."""


def database_away(outages: Outages) -> bool:
    """Whether a stage that queries the database all the time waits for it."""
    return any(outages.has(stage) for stage in DATABASE_STAGES)


def readiness(status: Status, tables: Tables) -> Readiness:
    """Compute the readiness from the tables at this moment."""
    outages = status.outages()
    state = status.state(outages)
    reasons: list[str] = [state] if state in ("starting", "draining", "drained") else []
    if status.awaits_database or database_away(tables.outages):
        reasons.append("database")
    if not tables.desired.known:
        reasons.append("control not read")  # nothing is leased before that
    if not tables.in_work.recovered:
        reasons.append("earlier answers")  # those of an earlier process are published first
    subjects = sorted({it.subject for it in tables.desired.pauses})
    return Readiness(state, tuple(reasons), tuple(outages), tuple(subjects))
