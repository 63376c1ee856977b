"""A provider may answer with what jsonb cannot hold. It was paid for: it is stored, and once."""

from pathlib import Path
from typing import Any

import pytest

from tests.http_server import Reply, Script, completion, scripted_server
from tests.service import request, running_service

ODD = "a\x00b\ud800c"
"""NUL and a lone surrogate; as JSON their escapes, which are valid."""
HELD = "a\ufffdb\ufffdc"
CALL = {"id": ODD, "type": "function", "function": {"name": ODD, "arguments": '{"a": "\\u0000"}'}}
CONSTANTS = (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1" + b"0" * 1000)


def one(**message: Any) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": ODD}
    return Reply(body=completion(id=ODD, choices=[choice]))


def usage(constant: bytes) -> Reply:
    body = b'{"id": "x", "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}], '
    return Reply(body=body + b'"usage": {"prompt_tokens": ' + constant + b"}}")


SCRIPT: Script = {
    "text": one(content=ODD),
    "calls": one(content=None, tool_calls=[CALL]),
    "error": Reply(status=400, body={"error": {"message": ODD, "code": ODD, "type": ODD}}),
    **{f"number-{place}": usage(constant) for place, constant in enumerate(CONSTANTS)},
}


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_jsonb_cannot_hold_is_stored_with_replacements_and_bought_once(
    streamed: bool, database_url: str, tmp_path: Path
) -> None:
    async with scripted_server(SCRIPT) as server:
        provider = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "max_retries": 0}
        async with running_service(
            database_url,
            tmp_path,
            providers={"p": provider},
            routes=[{"models": ["p/x"]}],
        ) as service:
            await service.sql.send_many(
                request(name, model=f"p/{name}", stream=streamed) for name in SCRIPT
            )
            await service.stored(len(SCRIPT))
            results = {r["request_id"]: r for r in await service.sql.results()}
            spent = await service.sql.value("SELECT count(*) FROM nexus.attempts")
            journal = await service.sql.rows("SELECT response_id FROM nexus.requests")
        assert len(server.requests) == spent == len(results) == len(SCRIPT)
    text, calls, error = (results[f"request-{name}"] for name in ("text", "calls", "error"))
    assert (text["status"], text["response"]) == ("ok", HELD)
    assert text["native_finish_reason"] == text["response_id"] == HELD
    assert HELD in {row["response_id"] for row in journal}
    (call,) = calls["tool_calls"]
    assert (call["id"], call["function"]["name"]) == (HELD, HELD)
    assert error["error"]["type"] == "request_rejected"
    for place in range(len(CONSTANTS)):  # no JSON, or beyond what any reader must hold
        assert results[f"request-number-{place}"]["error"]["type"] == "invalid_response"
