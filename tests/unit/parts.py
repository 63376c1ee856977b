"""What the stages share, as small as a test wants it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nexus_actors.admission.gates import Gates
from nexus_actors.admission.quirks import Quirks
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import parse_settings
from nexus_actors.settings.model import Settings
from nexus_actors.shared import Shared
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.control import ControlRow
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.requests import Delivery, Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.overtaking import Overtaken
from nexus_actors.work.pool_sizes import PoolSizes
from nexus_actors.work.text_streams import TextStreams
from supervisors import Registry

ABSENT: Any = None
"""For what the part that is tested never asks."""


def settings(**sections: Mapping[str, Any]) -> Settings:
    """The defaults, but for these sections of a config."""
    parsed = parse_settings(sections, {})
    assert isinstance(parsed, Settings), parsed
    return parsed


def delivery(msg_id: int) -> Delivery:
    """What a lease of a small request gives."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Delivery(
        lease=Lease(msg_id, 1),
        body="{}",
        size=2,
        enqueued_at=now,
        leased_at=now,
        verdict="claimed",
        request_id=str(msg_id),
    )


def control_row(action: str, subject: str, name: str = "", **columns: Any) -> ControlRow:
    """As an operator would write it, for all nodes and without an end but for these columns."""
    told: dict[str, Any] = {"value": None, "why": None, "until": None, "seconds_left": None}
    told |= {"node": "*", "by": "joe", "since": datetime(2026, 1, 1, tzinfo=UTC)}
    return ControlRow(action=action, subject=subject, name=name, **{**told, **columns})


def known_desired(*rows: ControlRow) -> Desired:
    """What is wanted, where these rows say so."""
    desired = Desired()
    desired.replace(rows, "ai_requests", 0.0)
    return desired


def shared(in_work: InWork, *, store: Any = ABSENT, spool: Any = ABSENT, **queue: Any) -> Shared:
    """`queue`: values of the config's section."""
    in_force = InForce(settings(queue=queue))
    return Shared(
        in_force=in_force,
        registry=Registry("Registry"),
        store=store,
        hints=ABSENT,
        spool=spool,
        in_work=in_work,
        desired=known_desired(),
        sizes=PoolSizes(in_force, in_work),
        overtaken=Overtaken(),
        metrics=Metrics(),
        gates=Gates(),
        quirks=Quirks(),
        streams=TextStreams(),
        outages=Outages(),
    )
