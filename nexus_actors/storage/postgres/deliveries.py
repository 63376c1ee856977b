"""Converts the rows of leasing statements to deliveries."""

from typing import cast

import asyncpg

from nexus_actors.storage.cancellations import Cancellation
from nexus_actors.storage.requests import Delivery, Lease, Previous, Verdict


def read_lease(row: asyncpg.Record) -> Lease:
    """The lease in a row: `msg_id` and `read_ct`."""
    return Lease(row["msg_id"], row["read_ct"])


def read_delivery(row: asyncpg.Record) -> Delivery:
    """Convert a row of lease.sql or take_waiting.sql."""
    return Delivery(
        lease=read_lease(row),
        body=row["body"],
        size=row["size"],
        fault=row["fault"],
        more_due=row.get("more_due", False),
        enqueued_at=row["enqueued_at"],
        leased_at=row["leased_at"],
        first_leased_at=row["first_leased_at"],
        verdict=cast("Verdict", row["verdict"]),
        request_id=row["request_id"],
        attempts=row["attempts"] or 0,
        uncounted_attempts=row["spared_attempts"] or 0,
        earlier_attempts=row["earlier_attempts"] or 0,
        first_attempt_at=row["first_attempt_at"],
        last_outcome=row["last_outcome"],
        used_candidates=tuple(row["used_candidates"] or ()),
        previous=_previous(row),
        cancellation=Cancellation(row["cancelled_by"], row["cancelled_why"])
        if row["verdict"] == "cancelled"
        else None,
        traceparent=row["traceparent"],
        waited_since=row["waited_since"],
        waited_for=row["waited_for"],
        waited_detail=None if row["waited_for"] is None else row["waited_detail"],
    )


def _previous(row: asyncpg.Record) -> Previous | None:
    provider, model = row["previous_provider"], row["previous_model"]
    if provider is None or model is None:
        return None
    return Previous(provider, model, row["previous_key"])
