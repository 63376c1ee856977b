"""Journal rows for the pages about requests."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from nexus_actors.monitoring.requests import Filter
from tests.dashboard import Browser

NOW = datetime.now(UTC)
DAY = Filter(since=NOW - timedelta(days=1))
ROW = """
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at,
    first_leased_at, finished_at, agent_id, task_type, provider, model, error_type, cost, steps,
    lane, wait_reason, wait_detail, wait_since, wait_until)
SELECT request_id, coalesce(queue, 'ai_requests'), msg_id, 1, 'one', state, 'd', 1, received_at,
       received_at + interval '1 s', received_at + interval '1 s', finished_at, agent_id, task_type,
       provider, model, error_type, cost, coalesce(steps, '[]'), lane, wait_reason, wait_detail,
       received_at, received_at + interval '1 h'
FROM jsonb_populate_recordset(NULL::nexus.requests, $1::text::jsonb)
"""


async def add(browser: Browser, *rows: dict[str, Any]) -> None:
    told = [
        {"msg_id": place, "received_at": (NOW - timedelta(minutes=5)).isoformat(), **row}
        for place, row in enumerate(rows, start=1)
    ]
    await browser.sql(ROW, json.dumps(told))


def ended(request_id: str, minutes: float = 1, **columns: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes)).isoformat()
    return {"request_id": request_id, "state": "done", "finished_at": at, **columns}


def waits(request_id: str, lane: str = "echo", **columns: Any) -> dict[str, Any]:
    return {"request_id": request_id, "state": "waiting", "lane": lane, **columns}
