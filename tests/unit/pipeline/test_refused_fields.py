"""A worker whose provider refuses a field: asked again without it, once, and what that teaches."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from msgspec import structs

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.storage.quirks import QUIRK_SECONDS, Quirk
from nexus_actors.work.job import Job
from nexus_actors.work.refusals import MOST_REPEATS
from tests.unit.pipeline.worker_bench import ANSWER, Bench, bench, failure, job

PARAMETER = "refused by the model (unsupported_parameter)"
VALUE = "refused by the model (unsupported_value)"


def refusal(field: str | None = "temperature", **fields: Any) -> ProviderFailure:
    said = {
        "type": "request_rejected",
        "retryable": False,
        "scope": "request",
        "status_code": 400,
        "refused_field": field,
    }
    return failure(**(said | fields))


def with_effort(effort: Any, *models: str) -> Job:
    one = job(*models)
    assert isinstance(one.body, LLMRequest)
    one.body = structs.replace(one.body, reasoning_effort=effort)
    return one


def known(b: Bench, model: str = "m", effort: str = "") -> dict[str, str]:
    return dict(b.quirks.without("p", model, effort, trio.current_time()))


async def test_it_is_asked_again_at_once_without_the_field(autojump_clock: Any) -> None:
    async with bench(refusal(), ANSWER, max_attempts=1, max_retries=0) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER
        assert [(a.number, a.outcome, a.status_code, a.uncounted) for a in one.attempts] == [
            (1, "request_rejected", 400, True),
            (2, "ok", None, False),
        ]
        assert b.provider.without == [{}, {"temperature": PARAMETER}]
        (first, _, _), (second, _, _) = b.provider.calls
        assert second - first == pytest.approx(b.provider.delay)
        assert b.gates.describe("p", trio.current_time()) == {}


async def test_the_next_request_is_asked_without_it_at_first(autojump_clock: Any) -> None:
    async with bench(refusal(), ANSWER) as b:
        for expected in (2, 3):
            b.give(one := job())
            await b.finished.receive()
            b.in_work.remove(one)
            assert len(b.provider.calls) == expected
        assert b.provider.without[-1] == {"temperature": PARAMETER}
        assert [it.field for it in b.quirks.unwritten()] == ["temperature"]


async def test_after_a_day_the_provider_is_asked_again(autojump_clock: Any) -> None:
    async with bench(refusal(), ANSWER, refusal(), ANSWER) as b:
        for delay in (QUIRK_SECONDS, 0.0):
            b.give(one := job())
            await b.finished.receive()
            b.in_work.remove(one)
            await trio.sleep(delay)
        assert b.provider.without == 2 * [{}, {"temperature": PARAMETER}]


async def test_several_fields_are_left_out_one_after_another(autojump_clock: Any) -> None:
    async with bench(refusal("temperature"), refusal("top_p"), ANSWER) as b:
        b.give(one := job())
        await b.finished.receive()
        assert b.provider.without[-1] == {"temperature": PARAMETER, "top_p": PARAMETER}
        assert known(b) == {"temperature": PARAMETER, "top_p": PARAMETER}
        assert [a.uncounted for a in one.attempts] == [True, True, False]


async def test_the_same_field_is_left_out_once(autojump_clock: Any) -> None:
    async with bench(refusal(), refusal()) as b:
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "request_rejected"
        assert [a.uncounted for a in one.attempts] == [True, False]
        assert known(b) == {}
        assert b.quirks.unwritten() == ()


async def test_there_is_an_end_to_it(autojump_clock: Any) -> None:
    async with bench(*(refusal(field) for field in OPTIONAL_FIELDS)) as b:
        b.give(one := job())
        await b.finished.receive()
        assert len(b.provider.calls) == MOST_REPEATS + 1
        assert isinstance(one.outcome, Failure)
        assert known(b) == {}


async def test_what_is_refused_without_a_field_of_ours_is_not_asked_again(
    autojump_clock: Any,
) -> None:
    async with bench(refusal(None), ANSWER) as b:
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert [a.uncounted for a in one.attempts] == [False]


async def test_a_refused_value_is_left_out_and_never_remembered(autojump_clock: Any) -> None:
    async with bench(refusal(refused_value=True), refusal("top_p"), ANSWER) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER
        assert b.provider.without[-1] == {"temperature": VALUE, "top_p": PARAMETER}
        assert known(b) == {"top_p": PARAMETER}


@pytest.mark.parametrize(
    "then",
    [
        refusal(None),
        refusal("temperature"),
        failure(),
        failure(type="rate_limited", scope="key"),
        failure(type="invalid_response", repeat_once=True),
    ],
)
async def test_without_an_answer_nothing_is_remembered(
    autojump_clock: Any, then: ProviderFailure
) -> None:
    async with bench(refusal(), then, max_retries=1) as b:
        b.give(job())
        with trio.move_on_after(60.0):
            await b.finished.receive()
        assert known(b) == {}
        assert b.quirks.unwritten() == ()


async def test_an_answer_after_other_failures_teaches_too(autojump_clock: Any) -> None:
    async with bench(refusal(), failure(), ANSWER) as b:
        b.give(job())
        await b.finished.receive()
        assert b.provider.without == [{}, *2 * [{"temperature": PARAMETER}]]
        assert known(b) == {"temperature": PARAMETER}


async def test_it_is_learnt_of_the_model_that_refused_it_alone(autojump_clock: Any) -> None:
    async with bench(refusal(), refusal(None), ANSWER) as b:
        b.give(one := job("m", "other"))
        await b.routed.receive()
        b.give(one)
        await b.finished.receive()
        assert one.outcome == ANSWER
        assert b.provider.without == [{}, {"temperature": PARAMETER}, {}]
        assert (known(b), known(b, "other")) == ({}, {})


async def test_it_is_learnt_of_the_effort_it_was_asked_with(autojump_clock: Any) -> None:
    async with bench(refusal(), ANSWER) as b:
        b.give(one := with_effort("high"))
        await b.finished.receive()
        assert known(b, effort="high") == {"temperature": PARAMETER}
        assert (known(b, effort="none"), known(b)) == ({}, {})
        b.in_work.remove(one)
        b.give(with_effort("none"))
        await b.finished.receive()
        assert b.provider.without[-1] == {}


async def test_what_others_learnt_is_known_at_the_next_call(autojump_clock: Any) -> None:
    async with bench(ANSWER) as b:
        learnt = Quirk(provider="p", model="m", field="seed", reason="so it is", age=100.0)
        b.quirks.replace([learnt], trio.current_time())
        b.give(job())
        await b.finished.receive()
        assert b.provider.without == [{"seed": "so it is"}]
        assert b.quirks.unwritten() == ()


async def test_no_repeat_outlives_the_deadline(autojump_clock: Any) -> None:
    async with bench(refusal(), ANSWER) as b:
        b.give(one := job(deadline=trio.current_time() + 1.0))
        await b.finished.receive()
        assert len(b.provider.calls) == 1
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "timeout"


FAULT = {"type": "invalid_response", "repeat_once": True, "maybe_paid": True}


async def test_what_was_paid_for_nothing_is_tried_once_more_and_costs_are_recorded(
    autojump_clock: Any,
) -> None:
    fault = failure(**FAULT, cost=0.5, cost_basis="list")
    async with bench(fault, max_retries=9, max_attempts=9) as b:
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert [(a.cost, a.cost_basis, a.maybe_paid, a.uncounted) for a in one.attempts] == 2 * [
            (0.5, "list", True, False)
        ]


async def test_another_failure_between_is_tried_as_ever(autojump_clock: Any) -> None:
    async with bench(failure(**FAULT), failure(), failure(**FAULT), ANSWER, max_retries=9) as b:
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert len(b.provider.calls) == 3


EMPTY: Answer = replace(ANSWER, response="", dropped=("response: the model said nothing",))


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (5, 2)])
async def test_an_answer_that_says_nothing_stands_if_no_better_one_comes(
    autojump_clock: Any, retries: int, calls: int
) -> None:
    async with bench(failure(**FAULT, instead=EMPTY), max_retries=retries) as b:
        b.give(one := job("m", "other"))
        await b.finished.receive()
        assert one.outcome == EMPTY
        assert len(b.provider.calls) == calls


async def test_a_better_answer_takes_its_place(autojump_clock: Any) -> None:
    async with bench(failure(**FAULT, instead=EMPTY), ANSWER) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER


async def test_an_answer_that_says_nothing_stands_also_where_the_repeat_fails(
    autojump_clock: Any,
) -> None:
    async with bench(failure(**FAULT, instead=EMPTY), refusal(None)) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == EMPTY


async def test_it_teaches_as_any_answer_does(autojump_clock: Any) -> None:
    empty = failure(**FAULT, instead=EMPTY)
    async with bench(refusal("temperature"), empty, empty) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == EMPTY
        assert [it.field for it in b.quirks.unwritten()] == ["temperature"]


async def test_the_session_is_told_whose_key_it_has(autojump_clock: Any) -> None:
    async with bench(ANSWER, keys=["KEY_A", "KEY_B"]) as b:
        b.give(job())
        await b.finished.receive()
        assert b.provider.key_names == ["KEY_A"]


async def test_a_conversation_with_sealed_state_goes_on_with_its_key(autojump_clock: Any) -> None:
    def said(provider: str, key: str) -> dict[str, Any]:
        state = {"provider": provider, "model": "m", "key": key, "state": "{}"}
        return {"role": "assistant", "content": "yes", "provider_state": state}

    async with bench(ANSWER, keys=["KEY_A", "KEY_B"]) as b:
        b.give(one := job())
        assert isinstance(one.body, LLMRequest)
        one.body = structs.replace(one.body, messages=(said("p", "KEY_B"), said("q", "KEY_A")))
        await b.finished.receive()
        assert b.provider.key_names == ["KEY_B"]
