"""What a newer model refuses is learnt from each vendor's own words, and of the field they mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.http_server import Recorded, Reply, completion, scripted_server
from tests.service import request, running_service

MODEL = "future-model-9"
CLAUDE: Mapping[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
GEMINI: Mapping[str, Any] = {
    "candidates": [{"content": {"parts": [{"text": "Hello."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}
RESPONSE: Mapping[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}


class Case(NamedTuple):
    kind: str
    place: tuple[str, ...]
    """Where the body has what is refused."""
    field: str
    error: Mapping[str, Any]
    answer: Mapping[str, Any]
    asked: Mapping[str, Any]


def openai(param: str) -> Mapping[str, Any]:
    """https://platform.openai.com/docs/guides/error-codes"""
    return {
        "error": {
            "message": f"Unsupported parameter: '{param}' is not supported with this model.",
            "type": "invalid_request_error",
            "param": param,
            "code": "unsupported_parameter",
        }
    }


def claude(message: str) -> Mapping[str, Any]:
    """https://docs.claude.com/en/api/errors"""
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def gemini(message: str) -> Mapping[str, Any]:
    """https://ai.google.dev/gemini-api/docs/troubleshooting"""
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


CASES = (
    Case(
        "anthropic",
        ("temperature",),
        "temperature",
        claude("`temperature` is deprecated for this model."),
        CLAUDE,
        {"temperature": 0.7},
    ),
    Case(
        "anthropic",
        ("output_config", "effort"),
        "reasoning_effort",
        claude("This model does not support the effort parameter."),
        CLAUDE,
        {"reasoning_effort": "low"},
    ),
    Case(
        "openai",
        ("reasoning", "effort"),
        "reasoning_effort",
        openai("reasoning.effort"),
        RESPONSE,
        {"reasoning_effort": "low"},
    ),
    Case(
        "openai",
        ("top_p",),
        "top_p",
        openai("top_p"),
        RESPONSE,
        {"top_p": 0.5},
    ),
    Case(
        "openai_compatible",
        ("reasoning_effort",),
        "reasoning_effort",
        openai("reasoning_effort"),
        completion(),
        {"reasoning_effort": "low"},
    ),
    Case(
        "gemini",
        ("generationConfig", "topK"),
        "top_k",
        gemini(
            "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config':"
            " Cannot find field."
        ),
        GEMINI,
        {"top_k": 5},
    ),
)


def is_in(body: Any, place: tuple[str, ...]) -> bool:
    for key in place:
        if not isinstance(body, Mapping) or key not in body:
            return False
        body = body[key]
    return True


@pytest.mark.parametrize("case", CASES, ids=[f"{it.kind} {it.field}" for it in CASES])
async def test_it_is_answered_by_the_second_call_and_then_by_the_first(
    database_url: str, tmp_path: Path, case: Case
) -> None:
    def answer(asked: Recorded) -> Reply:
        if is_in(asked.json, case.place):
            return Reply(status=400, body=case.error)
        return Reply(body=case.answer)

    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text("a-key")
    async with scripted_server({"*": answer}) as server:
        provider = {
            "kind": case.kind,
            "base_url": server.url,
            "api_key_file": str(key),
            "max_retries": 0,
        }
        async with running_service(
            database_url,
            tmp_path / "data",
            providers={"p": provider},
            routes=[{"models": [f"p/{MODEL}"]}],
        ) as service:
            for number in (1, 2):
                await service.sql.send(request(number, **case.asked))
                await service.stored(number)
            results = await service.sql.results()
            await service.sql.until("SELECT count(*) = 1 FROM nexus.model_quirks")
            [learnt] = await service.sql.rows("SELECT * FROM nexus.model_quirks")
    assert [it["attempts"] for it in results] == [2, 1]
    assert [it["response"] for it in results] == ["Hello."] * 2
    told = f"{case.field}: refused by the model (unsupported_parameter)"
    assert all(told in it["dropped"] for it in results)
    assert (learnt["field"], learnt["effort"]) == (
        case.field,
        case.asked.get("reasoning_effort", ""),
    )
    assert len(server.requests) == 3
