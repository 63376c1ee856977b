"""No budget is exceeded: by many workers at once, by answers as long as they may be, by repeats."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.http_server import Recorded, Reply, scripted_server
from tests.service import request, running_service

PRICES = {"input_price": 10.0, "output_price": 20.0}
"""US dollars per million tokens."""


def answer(asked: Recorded) -> Reply:
    """As long as the limit that was sent allows, or 60,000 tokens; every third call fails."""
    [message] = asked.json["messages"]
    if message["content"].startswith("fail") and asked.connection % 2:
        return Reply(status=503)
    most = asked.json.get("max_tokens", 60_000)
    return Reply(delay=0.02, body=completion(message["content"], most))


def completion(prompt: str, most: int) -> dict[str, Any]:
    tokens = 1 if prompt.startswith("short") else most
    message = {"role": "assistant", "content": "yes"}
    read = len(prompt.encode())
    usage = {"prompt_tokens": read, "completion_tokens": tokens, "total_tokens": read + tokens}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }


def cost(asked: Recorded) -> float:
    """What the provider bills for one call."""
    body = answer(asked).body
    used = {} if body is None else body["usage"]
    return (used.get("prompt_tokens", 0) * 10 + used.get("completion_tokens", 0) * 20) / 1e6


async def test_no_budget_is_exceeded_by_sixteen_workers_and_answers_as_long_as_they_may_be(
    database_url: str, tmp_path: Path
) -> None:
    def ask(agent: str, number: int, text: str) -> dict[str, Any]:
        words = [{"role": "user", "content": f"{text} {number}"}]
        return request(f"{agent}-{number}", agent_id=agent, messages=words)

    http = {"kind": "openai_compatible", "pool_size": 16, "max_retries": 1}
    async with (
        scripted_server({"*": answer}) as server,
        running_service(
            database_url,
            tmp_path,
            providers={
                "http": {**http, "base_url": f"{server.url}/v1", "models": {"m": PRICES}},
                "other": {**http, "base_url": f"{server.url}/v1"},
            },
            routes=[
                {"complexity": "*", "task_type": "*", "models": ["other/n"], "agent": "unpriced"},
                {"complexity": "*", "task_type": "*", "models": ["http/m"]},
            ],
            budgets={
                "long": {"dollars": 1.0, "agent": "long", "when_reserved": "refuse"},
                "patient": {"dollars": 0.5, "agent": "patient"},
                "unpriced": {"dollars": 1.0, "agent": "unpriced"},
            },
        ) as service,
    ):
        # The first sixteen reserve at once: if they were to fail, little would be spent.
        asked = [ask("long", n, "long" if n < 27 else "fail") for n in range(40)]
        asked += [ask("patient", n, "short") for n in range(12)]
        asked += [ask("unpriced", 0, "short")]
        await service.sql.send_many(asked)
        await service.stored(len(asked))
        results = {it["request_id"]: it for it in await service.sql.results()}
        spent = {
            row["budget"]: (row["spent"], row["reserved"])
            for row in await service.sql.rows(
                "SELECT budget, spent::float8, reserved::float8 FROM nexus.spending"
            )
        }
        recorded = await service.sql.value("SELECT sum(cost)::float8 FROM nexus.attempts")
    billed = {
        word: sum(cost(it) for it in server.requests if word in str(it.json["messages"]))
        for word in ("long", "fail", "short")
    }
    assert 0.5 < billed["long"] + billed["fail"] <= 1.0
    assert spent["long"] == (pytest.approx(billed["long"] + billed["fail"]), 0.0)
    assert recorded == pytest.approx(sum(billed.values()))
    assert {it.json["max_tokens"] for it in server.requests} == {8192}
    told = "max_tokens: sent as 8192, since budgets.patient.max_output_tokens bounds it"
    patient = [it for name, it in results.items() if "patient" in name]
    assert [(it["status"], it["dropped"]) for it in patient] == [("ok", [told])] * 12
    refused = results["request-unpriced-0"]["error"]
    assert refused["type"] == "quota_exceeded"
    assert "the price of other/n is not known" in refused["message"]


async def test_a_dear_request_has_its_turn_among_many_small_ones(
    database_url: str, tmp_path: Path
) -> None:
    """What calls under way give back is not for whoever asks next; and a budget that is short of
    nothing refuses nobody."""
    http = {"kind": "openai_compatible", "pool_size": 4, "max_retries": 0}
    words = [{"role": "user", "content": "short"}]
    async with (
        scripted_server({"*": lambda asked: replace(answer(asked), delay=0.05)}) as server,
        running_service(
            database_url,
            tmp_path,
            providers={"http": {**http, "base_url": f"{server.url}/v1", "models": {"m": PRICES}}},
            routes=[{"complexity": "*", "task_type": "*", "models": ["http/m"]}],
            budgets={
                "all": {"dollars": 0.3},
                "strict": {"dollars": 1000.0, "agent": "*", "when_reserved": "refuse"},
            },
        ) as service,
    ):
        numbers = count()

        async def send_small() -> None:
            names = [f"small-{next(numbers)}" for _ in range(8)]
            small = [request(it, messages=words, max_tokens=2500) for it in names]
            await service.sql.send_many(small)

        await send_small()
        await service.stored(1)
        await service.sql.send(request("dear", messages=words, max_tokens=12_600))
        made = 0
        while made == 0:
            made = len(await service.sql.attempts("request-dear"))
            # Some 680 small ones cost so much that it does not fit any more.
            assert service.application.metrics.succeeded < 650, "small ones passed it all the time"
            await send_small()
            await trio.sleep(0.05)
