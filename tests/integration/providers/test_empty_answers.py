"""An answer that says nothing: asked for once more, then told; with its reason it stands."""

from typing import Any

import pytest

from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import Reply, completion
from tests.integration.providers.helpers import LONG, REQUEST, connected, events


def silent(finish: str | None, *, reasoning: str = "", calls: Any = None) -> dict[str, Any]:
    message = {"content": None, "reasoning_content": reasoning or None, "tool_calls": calls}
    return completion(choices=[{"message": message, "finish_reason": finish}])


@pytest.mark.parametrize("finish", ["stop", "eos", "something_new", None])
@pytest.mark.parametrize("reasoning", ["", "hm"])
async def test_an_answer_that_says_nothing_is_worth_one_more_try(
    finish: str | None, reasoning: str
) -> None:
    reply = Reply(body=silent(finish, reasoning=reasoning))
    async with connected({"*": reply}) as (_, session):
        failure = await session.complete(REQUEST, "gpt-4o-mini", timeout=LONG)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable) == ("invalid_response", True)
    assert (failure.repeat_once, failure.maybe_paid) == (True, True)
    assert failure.cost == pytest.approx(7 * 0.15e-6 + 2 * 0.6e-6)
    assert failure.cost_basis == "list"
    assert "it says nothing" in failure.message
    instead = failure.instead
    assert instead is not None
    assert (instead.response, instead.cost, instead.usage.total_tokens) == (
        "",
        failure.cost,
        9,
    )
    assert "response: the model said nothing" in instead.dropped


async def test_so_is_a_stream_that_says_nothing_but_reasoning() -> None:
    thought = {"index": 0, "delta": {"reasoning_content": "hm"}}
    end = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    reply = events({"choices": [thought]}, {"choices": [end]})
    told: list[str] = []
    async with connected({"*": reply}) as (_, session):
        failure = await session.complete(REQUEST, "m", timeout=LONG, on_text=told.append)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.repeat_once, told) == ("invalid_response", True, [])
    assert failure.instead is not None


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_an_answer_that_had_no_chance_to_say_anything_stands(finish: str) -> None:
    async with connected({"*": Reply(body=silent(finish, reasoning="hm"))}) as (_, session):
        answer = await session.complete(REQUEST, "gpt-4o-mini", timeout=LONG)
    assert isinstance(answer, Answer)
    assert answer.finish_reason == finish


async def test_calls_say_enough() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    async with connected({"*": Reply(body=silent("stop", calls=[call]))}) as (_, session):
        answer = await session.complete(REQUEST, "gpt-4o-mini", timeout=LONG)
    assert isinstance(answer, Answer)
    assert (answer.response, len(answer.tool_calls)) == (None, 1)
