"""Somebody sets the machine's clock, to and fro: nothing that is measured or waited for changes."""

import datetime as real
import itertools
import time
from pathlib import Path

import pytest

from tests.service import request, running_service

MODULES = ("work.ending", "work.in_work", "work.job", "pipeline.provider_calls")
JUMP = real.timedelta(days=400)


@pytest.fixture
def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the time of day finds it a year later or earlier than the last."""
    away = itertools.cycle((JUMP, -JUMP, real.timedelta()))

    class Jumping(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> real.datetime:  # type: ignore[override]
            return real.datetime.now(tz) + next(away)

    for module in MODULES:
        monkeypatch.setattr(f"nexus_actors.{module}.datetime", Jumping)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(away).total_seconds())


async def test_a_clock_that_jumps_changes_no_deadline_no_lease_and_no_duration(
    database_url: str, tmp_path: Path, jumping_clock: None
) -> None:
    providers = {"echo": {"kind": "echo", "latency": 0.3, "pool_size": 4}}
    queue = {"visibility_timeout": 2}
    async with running_service(database_url, tmp_path, providers=providers, queue=queue) as service:
        sql = service.sql
        await sql.send_many(request(n, timeout=30_000) for n in range(60))
        await service.running_calls(4)
        (await service.actor("echo.Worker.1")).kill()
        await service.stored(60)
        assert {result["status"] for result in await sql.results()} == {"ok"}
        assert await sql.value("SELECT count(*) FROM nexus.requests WHERE attempts > 2") == 0
        durations = await sql.value("SELECT array_agg(duration_ms) FROM nexus.attempts")
        latencies = await sql.value("SELECT array_agg(latency_ms) FROM nexus.requests")
        assert all(0 <= took < 60_000 for took in (*durations, *latencies))
