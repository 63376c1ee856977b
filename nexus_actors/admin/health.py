"""Whether the service is well, as machines ask it: by what it knows, never by a new query."""

from dataclasses import dataclass
from typing import Final

from nexus_actors.operations.status import Status, Tables
from nexus_actors.storage.nodes import NodeState
from nexus_actors.storage.outages import Outages

DATABASE_STAGES: Final = ("QueueConsumer", "Heartbeat", "Steering", "embedded PostgreSQL")
"""Who of those that wait for the database asks it every few seconds, whatever there is to do."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether it would take requests now."""

    state: NodeState
    reasons: tuple[str, ...]
    """Why it would not, by name; none: it would."""
    outages: tuple[str, ...]
    """What it is degraded by. Most of that keeps it from nothing new."""
    paused: tuple[str, ...]
    """Of what there are pauses. Operators want them, and the other nodes obey the same."""


def database_away(outages: Outages) -> bool:
    """Whether it has not answered those who ask it all the time."""
    return any(outages.has(stage) for stage in DATABASE_STAGES)


def readiness(status: Status, tables: Tables) -> Readiness:
    """As the tables say at this moment."""
    outages = status.outages()
    state = status.state(outages)
    reasons: list[str] = [state] if state in ("starting", "draining", "drained") else []
    if status.awaits_database or database_away(tables.outages):
        reasons.append("database")
    if not tables.desired.known:
        reasons.append("control not read")  # nothing is leased before
    if not tables.in_work.recovered:
        reasons.append("earlier answers")  # those of an earlier process are published first
    subjects = sorted({it.subject for it in tables.desired.pauses})
    return Readiness(state, tuple(reasons), tuple(outages), tuple(subjects))
