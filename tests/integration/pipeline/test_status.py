"""What an operator is told of a service that runs, and cannot do its work."""

from pathlib import Path
from typing import Any

import trio

from nexus_actors.admission.circuit import CircuitSettings
from tests.http_server import Reply, scripted_server
from tests.service import PATIENCE, request, running_service


def provider(url: str, **settings: Any) -> dict[str, Any]:
    return {
        "kind": "openai_compatible",
        "base_url": f"{url}/v1",
        "free": True,
        "max_retries": 0,
        "breaker_failures": 1,
        "breaker_seconds": 0.05,
        "breaker_seconds_max": 0.05,
        **settings,
    }


async def test_a_provider_that_cannot_be_reached_degrades_the_service_until_it_answers(
    database_url: str, tmp_path: Path
) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    replies = {"*": [Reply(status=500), Reply()]}
    async with (
        scripted_server(replies) as server,
        running_service(
            database_url,
            tmp_path / "data",
            providers={"away": provider(f"http://127.0.0.1:{port}"), "sick": provider(server.url)},
            routes=[
                {"complexity": "simple", "models": ["away/m"]},
                {"complexity": "*", "models": ["sick/one", "sick/two"]},
            ],
            queue={"max_attempts": 1, "poll_interval": 0.05},
        ) as service,
    ):
        status, gates = service.application.status, service.application.gates
        assert await state(status, "ready") == {}
        await service.sql.send(request(1), request(2, complexity="complex", model="sick/one"))
        await service.stored(2)
        # A model that fails says nothing of another, a server that is not there says it of all.
        why = f"connection_failed: cannot connect to 127.0.0.1:{port}: connection refused"
        told = await state(status, "degraded")
        assert told["provider away"].pop("seconds") >= 0
        assert told == {"provider away": {"error": why}}
        assert status.line() == f"degraded: provider away: {why}"
        other = gates.gate("sick", "two", CircuitSettings(failures=1), 0.0)
        other.circuit.failed(trio.current_time())
        other.cause = "provider_error"
        assert set(await state(status, "degraded")) == {"provider away", "provider sick"}
        gates.open_all("away")
        await service.sql.send(request(3, complexity="complex", model="sick/one"))
        await service.stored(3)
        assert await state(status, "ready") == {}


async def state(status: Any, expected: str) -> Any:
    """The outages, once the state is as expected: an actor may still be starting."""
    told: Any = None
    with trio.move_on_after(PATIENCE):
        while True:
            told = await status()
            if told["state"] == expected:
                return told["outages"]
            await trio.sleep(0.01)
    raise AssertionError(told)
