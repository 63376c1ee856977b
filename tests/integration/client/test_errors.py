"""What calls fail with, and what the client itself refuses."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from nexus_actors.client import (
    CallError,
    InvalidArguments,
    LLMService,
    ModelUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestFailed,
    Unavailable,
)
from tests.http_server import Reply, scripted_server
from tests.integration.client.client_helpers import (
    QUESTION,
    client,
    listening,
)
from tests.service import open_sql, running_service, settings_for

SLOW = {"echo": {"kind": "echo", "latency": 3600.0, "pool_size": 4}}


PROVIDER_ERRORS = {
    "limited": (429, {"code": "rate_limit_exceeded"}, RateLimited),
    "spent": (429, {"code": "insufficient_quota"}, QuotaExceeded),
    "absent": (404, {"code": "model_not_found"}, ModelUnavailable),
    "refused": (400, {"code": "bad"}, RequestFailed),
}


async def test_errors_are_named_as_the_contract_names_them(
    database_url: str, tmp_path: Path
) -> None:
    # A request that cannot wait as long as a 429 says ends at once, and well within
    # its own time: its cause does not race with the caller's patience.
    later = {"Retry-After": "3600"}
    script = {
        name: Reply(status=status, headers=later, body={"error": {"message": "no", **error}})
        for name, (status, error, _) in PROVIDER_ERRORS.items()
    }
    async with scripted_server(script) as server:
        url = f"{server.url}/v1"
        http = {"kind": "openai_compatible", "base_url": url, "max_retries": 0}
        http |= {"key_rest_seconds": 0.001}  # one name's fate is not to be the next one's
        sections: dict[str, Any] = {
            "providers": {"http": http},
            "routes": [{"complexity": "*", "task_type": "*", "models": ["http/x"]}],
        }
        async with (
            running_service(database_url, tmp_path, **sections),
            client(database_url, tmp_path, sections=sections) as service,
        ):
            for name, (status, _, kind) in PROVIDER_ERRORS.items():
                with pytest.raises(CallError) as raised:
                    await service.call(f"http/{name}", QUESTION, timeout=30.0)
                assert type(raised.value) is kind, (name, raised.value)
                assert raised.value.request_id is not None
                failure = raised.value.failure
                assert failure is not None
                assert (failure.status_code, failure.type) == (status, raised.value.type)
                stored = await service.result(raised.value.request_id)
                assert stored.outcome == failure
            with pytest.raises(ModelUnavailable):
                await service.call("nowhere/model", QUESTION)


async def test_nothing_is_sent_for_invalid_arguments(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path) as running,
        client(database_url, tmp_path) as service,
    ):
        with pytest.raises(InvalidArguments, match="empty_messages"):
            await service.call("simple", [])
        with pytest.raises(InvalidArguments, match="temprature"):
            await service.enqueue("chat", QUESTION, temprature=1)
        assert await running.sql.value("SELECT last_value FROM pgmq.q_ai_requests_msg_id_seq") == 1
        assert await running.sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0


async def test_an_unreachable_database_is_unavailable(tmp_path: Path) -> None:
    url = "postgresql://postgres:secret@127.0.0.1:1/none"
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/none") as raised:
        async with client(url, tmp_path):
            raise AssertionError
    assert "secret" not in str(raised.value)


async def test_the_block_leaves_the_callers_exceptions_as_they_are(
    database_url: str, tmp_path: Path
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with client(database_url, tmp_path), trio.open_nursery():
            raise KeyError("mine")
    assert isinstance(raised.value.exceptions[0], KeyError)


async def test_a_block_may_be_entered_again_but_not_twice_at_once(
    database_url: str, tmp_path: Path
) -> None:
    service = LLMService(settings_for(database_url, tmp_path))
    for _ in range(2):
        async with service:
            await service.enqueue("chat", QUESTION)
            with pytest.raises(RuntimeError, match="open already"):
                await service.__aenter__()
            await service.enqueue("chat", QUESTION)
    with pytest.raises(RuntimeError, match="async with LLMService"):
        await service.enqueue("chat", QUESTION)


async def test_who_still_waits_when_the_block_ends_is_told(
    database_url: str, tmp_path: Path
) -> None:
    service = LLMService(settings_for(database_url, tmp_path))
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(RuntimeError, match="not open"):
                await service.result("never", timeout=3600)

        async with service, open_sql(database_url) as sql:
            nursery.start_soon(wait)
            await listening(sql)
