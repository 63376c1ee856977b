"""A server that says back whatever it was sent, in every place it can: neither key nor prompt gets
any further."""

import json
import logging
from typing import Any

import pytest

from nexus_actors.contract.result import Answer
from tests.http_server import Recorded, Reply
from tests.integration.providers.helpers import KEY, MODELS, PROMPT, REQUEST, SHORT, connected

KINDS = ("openai", "openai_compatible", "anthropic", "gemini")
SAID = f"you sent {KEY} and asked: {PROMPT}"
ERRORS: list[Any] = [
    {"error": {"message": SAID, "type": SAID, "code": SAID, "param": SAID}},
    {"type": "error", "error": {"type": "invalid_request_error", "message": SAID}},
    {"error": {"code": 400, "message": SAID, "status": SAID, "details": [{"reason": SAID}]}},
    [{"error": {"code": 400, "message": SAID, "status": "INVALID_ARGUMENT"}}],
    {"error": SAID},
    {"detail": SAID},
    SAID,
    f"<html>{SAID}</html>",
    f'{{"error": "{SAID}',
]
HEADERS = {"x-request": KEY, "retry-after": KEY, "location": f"/{KEY}", "server": SAID[:60]}


def streamed(value: Any) -> Reply:
    text = value if isinstance(value, str) else json.dumps(value)
    return Reply(body=f"data: {text}\n\n", headers={"content-type": "text/event-stream"})


REPLIES: list[Reply] = [
    *(Reply(status=status, body=body, headers=HEADERS) for body in ERRORS for status in (400, 529)),
    *(Reply(status=200, body=body) for body in ERRORS),
    *(streamed(body) for body in ERRORS),
    Reply(status=302, headers=HEADERS),
    Reply(status=401, body=f"{KEY[:9]} {PROMPT[:30]}"),
    Reply(body=SAID, breaks="truncate", after_headers=True),
    Reply(body=SAID, breaks="reset", after_headers=True),
    Reply(body=SAID, breaks="hang", after_headers=True),
]


def echo(request: Recorded) -> Reply:
    """Everything that came, said back as an error."""
    headers = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
    said = f"{headers} {request.body.decode()}"
    return Reply(status=422, body={"error": {"message": said, "type": said}})


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_sent_comes_no_further(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    masked = 0
    for reply in (*REPLIES, echo):
        async with connected({"*": reply}, kind=kind) as (_, session):
            for on_text in (None, lambda _: None):
                outcome = await session.complete(
                    REQUEST, MODELS[kind], timeout=SHORT, on_text=on_text
                )
                if isinstance(outcome, Answer):
                    continue  # an answer may say what it likes
                told = f"{outcome!r} {outcome.message} {session!r}"
                masked += "[key]" in told and "[prompt]" in told
                assert KEY not in told, reply
                assert PROMPT not in told, reply
                assert KEY[3:15] not in told, reply
    assert masked > 10  # else nothing was said back, and nothing tried
    logged = "\n".join(record.getMessage() for record in caplog.records) + caplog.text
    assert KEY not in logged
    assert PROMPT not in logged
