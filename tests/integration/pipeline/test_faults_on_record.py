"""A server that does everything wrong, before every kind of provider: the journal tells exactly
what happened, each request ends in one result within its time, and the key is nowhere to be read.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from supervisors import tree
from tests.http_server import Reply, Script, scripted_server
from tests.integration.providers.helpers import MODELS, check_rules
from tests.service import request, running_service

KEY = "sk-canary-4f9a77c1e0"
PROMPT = "a prompt that is nobody's business: heron"
TIME = 20.0
"""Seconds that each request has."""
CALL = 3.0
"""Seconds that one call may take."""


def error(status: int, code: str = "x", **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    said = f"no: {KEY} {PROMPT}"
    body = {"type": "error", "error": {"type": code, "code": code, "message": said}}
    return Reply(status=status, body=body, headers=names)


LATER = "Fri, 31 Dec 2100 23:59:59 GMT"
FAULTS: Mapping[str, tuple[Reply, tuple[Any, ...]]] = {
    # what the server does: the outcome, status, maybe_paid and spared of each attempt
    "later-seconds": (error(429, retry_after="3600"), ("rate_limited", 429, False, True)),
    "later-date": (error(429, retry_after=LATER), ("rate_limited", 429, False, True)),
    "failed": (error(500), ("provider_error", 500, False, False)),
    "overloaded": (error(529, "overloaded_error"), ("provider_error", 529, False, False)),
    "gone": (error(404), ("model_unavailable", 404, False, False)),
    "refused": (error(400), ("request_rejected", 400, False, False)),
    "hang": (Reply(breaks="hang"), ("timeout", None, True, False)),
    "drip": (Reply(drip=0.05), ("timeout", None, True, False)),
    "reset": (Reply(breaks="reset"), ("connection_failed", None, True, False)),
    "half": (
        Reply(breaks="truncate", after_headers=True),
        ("invalid_response", 200, True, False),
    ),
    "error-in-200": (
        Reply(body={"error": {"message": f"{KEY} {PROMPT}", "code": 503}}),
        ("provider_error", 503, True, False),
    ),
    "huge": (Reply(body=b" " * 1_000_000, times=1000), ("invalid_response", 200, True, False)),
    "no-json": (Reply(body=f"<html>{KEY}</html>"), ("invalid_response", 200, True, False)),
}
KINDS = ("openai", "openai_compatible", "anthropic", "gemini")
ONCE = {"model_unavailable", "request_rejected", "rate_limited"}
"""What is not repeated at once."""


def script() -> Script:
    """By the body's model; Gemini has it in the path."""
    by_path = {f"/v1/models/{name}:generateContent": reply for name, (reply, _) in FAULTS.items()}
    return {**{name: reply for name, (reply, _) in FAULTS.items()}, **by_path}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_fault_is_on_record_and_no_secret_is(
    kind: str, database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key_file = tmp_path / "key"
    key_file.touch(0o600)
    key_file.write_text(KEY)
    async with scripted_server(script()) as server:
        provider = {
            "kind": kind,
            "base_url": f"{server.url}/v1",
            "api_key_file": str(key_file),
            "timeout": CALL,
            "max_retries": 1,
            "breaker_failures": 100,
            "pool_size": 16,
        }
        async with running_service(
            database_url,
            tmp_path / "data",
            providers={"p": provider},
            routes=[{"models": ["p/x"]}],
        ) as service:
            sql = service.sql
            await sql.send_many(
                request(
                    name,
                    model=f"p/{name}",
                    timeout=TIME * 1000,
                    messages=[{"role": "user", "content": PROMPT}],
                )
                for name in FAULTS
            )
            await service.stored(len(FAULTS))
            results = {r["request_id"]: r for r in await sql.results()}
            assert len(results) == len(await sql.results()) == len(FAULTS)
            for name, (_, expected) in FAULTS.items():
                attempts = await sql.attempts(f"request-{name}")
                told = [
                    (a["outcome"], a["status_code"], a["maybe_paid"], a["spared"]) for a in attempts
                ]
                assert told == [expected] * (1 if expected[0] in ONCE else 2), name
                result = results[f"request-{name}"]
                assert (result["error"]["type"], result["attempts"]) == (expected[0], len(told))
                assert result["latency_ms"] < TIME * 1000
            told_of = [
                *results.values(),
                await sql.rows("SELECT * FROM nexus.attempts"),
                await sql.rows("SELECT * FROM nexus.requests"),
                await sql.rows("SELECT * FROM nexus.rate_limits"),
                await service.application.status(),
                asdict(await tree(service.application.root.ref)),
            ]
            kept = [*await sql.dead(), await sql.rows("SELECT * FROM job_results")]
    check_rules(server, kind, model=MODELS[kind])
    text = json.dumps(told_of, default=str) + capfd.readouterr().out
    assert "throttled" in text
    for secret in (KEY, KEY[3:15], PROMPT):
        assert secret not in text
    assert KEY not in json.dumps(kept, default=str)  # these have the request, hence the prompt
