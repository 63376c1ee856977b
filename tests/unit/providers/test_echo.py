"""The built-in provider: the same request meets the same fate, and nothing is hidden."""

from typing import Any

import pytest
import trio.testing
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.echo import PROVIDER
from nexus_actors.providers.port import Outcome, ProviderFailure


def request(request_id: str = "r", **changes: Any) -> LLMRequest:
    fields: dict[str, Any] = {"messages": ({"role": "user", "content": "two words"},)}
    return LLMRequest(request_id=request_id, complexity="simple", **(fields | changes))


async def ask(asked: LLMRequest, *, timeout: float = 5.0, **settings: Any) -> Outcome:
    checked = PROVIDER.settings(kind="echo", **settings)
    async with PROVIDER.open("mirror", checked, None) as session:
        return await session.complete(asked, "small", timeout=timeout)


async def test_answers_with_the_last_user_message_and_counts_words() -> None:
    messages = (
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "input_text", "text": "the last one"}]},
        {"role": "tool", "content": "not me"},
    )
    assert await ask(request(messages=messages)) == Answer(
        response="echo: the last one",
        provider="mirror",
        model="small",
        usage=Usage(prompt_tokens=7, completion_tokens=4, total_tokens=11),
        cost=0.0,
        cost_basis="list",
        finish_reason="stop",
        response_id="echo-r",
    )


async def test_without_a_user_message_there_is_nothing_to_echo() -> None:
    answer = await ask(request(messages=({"role": "system", "content": "be brief"},)))
    assert isinstance(answer, Answer)
    assert answer.response == "echo: "


async def test_max_tokens_cuts_the_answer_and_says_so() -> None:
    answer = await ask(request(max_tokens=2))
    assert isinstance(answer, Answer)
    assert (answer.response, answer.finish_reason) == ("echo: two", "length")
    assert answer.usage.completion_tokens == 2


async def test_what_nobody_has_a_place_for_is_reported_here_too() -> None:
    answer = await ask(request(unknown=("max_token", "temprature")))
    assert isinstance(answer, Answer)
    assert answer.dropped == ("max_token", "temprature")


async def test_one_means_always_failing() -> None:
    for number in range(50):
        failure = await ask(request(str(number)), failure_rate=1.0)
        assert isinstance(failure, ProviderFailure)
        assert (failure.type, failure.status_code, failure.retryable) == (
            "provider_error",
            503,
            True,
        )


async def fate(seed: int) -> list[bool]:
    outcomes = [await ask(request(str(n)), failure_rate=0.3, seed=seed) for n in range(200)]
    return [isinstance(outcome, ProviderFailure) for outcome in outcomes]


async def test_a_share_fails_the_same_requests_each_time() -> None:
    first = await fate(seed=1)
    assert first == await fate(seed=1)
    assert first != await fate(seed=2)
    assert 30 < sum(first) < 90


async def test_latency_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    before = trio.current_time()
    assert isinstance(await ask(request(), latency=2.5), Answer)
    assert trio.current_time() - before == pytest.approx(2.5)


async def test_timeout_ends_the_wait(autojump_clock: trio.testing.MockClock) -> None:
    before = trio.current_time()
    failure = await ask(request(), latency=2.5, timeout=1.0)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("timeout", True, False)
    assert trio.current_time() - before == pytest.approx(1.0)


async def test_no_latency_is_still_a_checkpoint() -> None:
    with trio.testing.assert_checkpoints():
        await ask(request())
    with trio.move_on_after(0) as scope:
        await ask(request())
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "wrong", [{"latency": -1}, {"failure_rate": 1.5}, {"failure_rate": -0.1}, {"delay": 1}]
)
def test_refuses_settings_without_a_meaning(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PROVIDER.settings(kind="echo", **wrong)
