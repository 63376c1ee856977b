"""What an answer cost, as it comes over HTTP, streamed and not."""

from typing import Any

import pytest

from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import Outcome, ProviderFailure
from tests.http_server import Reply, completion
from tests.integration.providers.helpers import LONG, REQUEST, connected, events

MODEL = "gpt-5.1"
LISTED = 7 * 1.25e-6 + 2 * 10e-6
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


async def asked(reply: Reply, *, streamed: bool = False, **settings: Any) -> Outcome:
    async with connected({"*": reply}, **settings) as (_, session):
        on_text = str if streamed else None
        return await session.complete(REQUEST, MODEL, timeout=LONG, on_text=on_text)


def said(streamed: bool, headers: dict[str, str] | None = None, **changes: Any) -> Reply:
    usage = USAGE | changes.pop("usage", {})
    if not streamed:
        return Reply(body=completion(model=MODEL, usage=usage, **changes), headers=headers or {})
    text = {"index": 0, "delta": {"content": "Hello."}, "finish_reason": "stop"}
    reply = events(
        {"model": MODEL, "choices": [text], **changes}, {"choices": [], "usage": usage, **changes}
    )
    return Reply(body=reply.body, headers={**reply.headers, **(headers or {})})


def told(outcome: Outcome) -> tuple[float | None, str | None]:
    assert isinstance(outcome, Answer), outcome
    return outcome.cost, outcome.cost_basis


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reply", "cost", "basis"),
    [
        ({}, LISTED, "list"),
        ({"usage": {"cost": 0.0001}}, 0.0001, "told"),
        ({"usage": {"cost": 0}}, 0.0, "told"),
        ({"usage": {"cost": 1}}, LISTED, "list"),
        ({"usage": {"cost": -1}}, LISTED, "list"),
        ({"usage": {"cost": "0.0001"}}, LISTED, "list"),
        ({"usage": {"cost_in_usd_ticks": 1_000_000}}, 0.0001, "told"),
        ({"headers": {"x-litellm-response-cost": "0.0001"}}, 0.0001, "told"),
        ({"headers": {"X-LiteLLM-Response-Cost": "0.0"}}, LISTED, "list"),
        ({"service_tier": "flex"}, LISTED / 2, "list"),
        ({"service_tier": "priority"}, LISTED * 2, "list"),
        ({"service_tier": "default"}, LISTED, "list"),
        ({"service_tier": "unheard_of"}, None, "partial"),
        ({"usage": {"prompt_tokens_details": {"cached_tokens": 4}}}, LISTED - 4 * 1.125e-6, "list"),
        ({"usage": {"prompt_cache_hit_tokens": 4}}, LISTED - 4 * 1.125e-6, "list"),
        ({"usage": {"cached_tokens": 4}}, LISTED - 4 * 1.125e-6, "list"),
        ({"usage": {"cached_tokens": 4_000}}, LISTED - 7 * 1.125e-6, "list"),
    ],
)
async def test_by_whom_it_is_told(reply: Any, cost: Any, basis: str, streamed: bool) -> None:
    expected = None if cost is None else pytest.approx(cost)
    assert told(await asked(said(streamed, **reply), streamed=streamed)) == (expected, basis)


async def test_nobody_knows() -> None:
    assert told(await asked(said(False), name="own")) == (None, "unknown")


async def test_a_server_of_ones_own() -> None:
    reply = said(False, usage={"cost": 0.0001})
    assert told(await asked(reply, free=True)) == (0.0, "list")


async def test_what_was_paid_for_no_answer() -> None:
    choice = {"message": {"content": ""}, "finish_reason": "stop"}
    for usage, cost, basis in (({}, LISTED, "list"), ({"cost": 0.0001}, 0.0001, "told")):
        failure = await asked(said(False, choices=[choice], usage=usage))
        assert isinstance(failure, ProviderFailure)
        assert (failure.cost, failure.cost_basis) == (pytest.approx(cost), basis)


async def test_what_was_not_paid_has_no_cost() -> None:
    for status in (400, 429, 500):
        failure = await asked(Reply(status=status, body={"error": "no"}))
        assert isinstance(failure, ProviderFailure)
        assert (failure.cost, failure.cost_basis) == (None, None)
