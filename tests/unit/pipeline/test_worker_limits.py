"""What a worker makes of a provider that says later, keeps failing, or refuses a key."""

import itertools
from typing import Any

import pytest
import trio
import trio.lowlevel
from msgspec import structs

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from tests.unit.pipeline.worker_bench import ANSWER, bench, failure, job

RATE_LIMITED = {"type": "rate_limited", "scope": "key", "status_code": 429}


async def test_too_early_is_no_attempt_used_up_and_the_model_is_left_alone(
    autojump_clock: Any,
) -> None:
    async with bench(failure(**RATE_LIMITED, retry_after=30.0), max_attempts=1) as b:
        b.give(one := job())
        assert await b.routed.receive() is one
        assert one.candidate_index == 0
        assert not one.has_used(1)
        assert [(a.number, a.outcome, a.uncounted) for a in one.attempts] == [
            (1, "rate_limited", True)
        ]
        now = trio.current_time()
        assert b.gates.wait("p", "m", now) == pytest.approx(30.0)
        assert b.gates.wait("p", "other", now) == 0.0


async def test_too_early_again_and_again_is_asked_less_often_and_holds_nobody_else(
    autojump_clock: Any,
) -> None:
    async with bench(failure(**RATE_LIMITED), pool_size=4) as b:
        pauses = []
        one = job()
        for _ in range(9):
            b.give(one)
            await b.routed.receive()
            pauses.append(one.pauses[one.candidate].until - trio.current_time())
            assert b.gates.wait("p", "m", trio.current_time()) == 0.0
            await trio.sleep(pauses[-1])
        assert all(later > 1.4 * one for one, later in itertools.pairwise(pauses[:7]))
        assert 45.0 <= pauses[-1] <= 60.0
        assert b.in_work.concurrency("p").limit == 4


async def test_a_model_is_held_when_two_requests_in_a_row_come_too_early(
    autojump_clock: Any,
) -> None:
    early = failure(**RATE_LIMITED)
    async with bench(early, ANSWER, early, early, pool_size=4) as b:
        waits = []
        for number in range(4):
            b.give(one := job(number=number))
            with trio.move_on_after(3):
                await b.routed.receive()
            waits.append(b.gates.wait("p", "m", trio.current_time()))
            b.in_work.remove(one)
        assert [wait > 0 for wait in waits] == [False, False, False, True]
        assert b.in_work.concurrency("p").limit == 2


async def test_a_429_of_its_own_size_ends_at_once_or_goes_to_the_next_model(
    autojump_clock: Any,
) -> None:
    large = failure(type="rate_limited", retryable=False, scope="request", status_code=429)
    async with bench(large, keys=["A", "B"], pool_size=4) as b:
        b.give(one := job("m", "other"))
        assert await b.routed.receive() is one
        assert one.candidate.model == "other"
        b.give(one)
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert (one.outcome.type, one.outcome.retryable) == ("rate_limited", False)
        assert len(b.provider.calls) == 2
        assert b.in_work.concurrency("p").limit == 4
        assert b.gates.wait("p", "m", trio.current_time()) == 0.0


async def test_a_pause_of_our_own_choice_does_not_outlive_the_request(autojump_clock: Any) -> None:
    async with bench(failure(**RATE_LIMITED)) as b:
        b.give(one := job(prior_attempts=9, prior_uncounted=9, deadline=trio.current_time() + 11.0))
        await b.routed.receive()
        assert one.pauses[one.candidate].until == pytest.approx(trio.current_time() + 5.0)


async def test_too_early_halves_the_concurrency_limit_and_answers_bring_them_back(
    autojump_clock: Any,
) -> None:
    async with bench(failure(**RATE_LIMITED, retry_after=1.0), ANSWER, pool_size=8) as b:
        b.give(one := job())
        await b.routed.receive()
        assert b.in_work.concurrency("p").limit == 4
        await trio.sleep(1)
        for _ in range(4 + 5):
            b.in_work.remove(one)
            b.give(one := job())
            await b.finished.receive()
        assert b.in_work.concurrency("p").limit == 5


async def test_what_keeps_failing_is_not_called_for_a_while_then_probed(
    autojump_clock: Any,
) -> None:
    async with bench(
        failure(), failure(), ANSWER, max_retries=9, breaker_failures=2, breaker_seconds=60.0
    ) as b:
        b.give(one := job())
        assert await b.routed.receive() is one  # its third call was not allowed to begin
        assert len(b.provider.calls) == 2
        assert not one.has_used(3)
        await trio.sleep(60)
        b.give(one)
        await b.finished.receive()
        assert b.gates.describe("p", trio.current_time()) == {}


async def test_a_requests_own_haste_says_nothing_of_the_provider(autojump_clock: Any) -> None:
    late = failure(type="timeout")
    async with bench(late, breaker_failures=1, timeout=100.0, max_retries=0) as b:
        b.give(job(deadline=trio.current_time() + 5.0))
        await b.finished.receive()
        assert b.gates.wait("p", "m", trio.current_time()) == 0.0
        b.give(job())
        await b.finished.receive()
        assert b.gates.wait("p", "m", trio.current_time()) == pytest.approx(10.0)


async def test_a_probe_whose_lease_was_lost_makes_way_for_another(autojump_clock: Any) -> None:
    async with bench(failure(), breaker_failures=1, max_retries=0) as b:
        b.give(job())
        await b.finished.receive()
        await trio.sleep(10.0)
        b.give(one := job())
        await trio.sleep(0.5)
        assert one.call is not None
        one.call.cancel()
        b.in_work.remove(one)
        await trio.lowlevel.checkpoint()
        await trio.sleep(0.1)
        assert b.gates.wait("p", "m", trio.current_time()) == 0.0


AUTH = {"type": "authentication_failed", "retryable": False, "scope": "key", "status_code": 401}


async def test_a_refused_key_is_suspended_and_the_next_tried_at_once(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(failure(**AUTH), ANSWER, keys=["KEY_A", "KEY_B"]) as b:
        b.give(one := job())
        await b.finished.receive()
        assert [a.outcome for a in one.attempts] == ["authentication_failed", "ok"]
        assert b.provider.keys == ["KEY_A", "KEY_B"]
        assert trio.current_time() < 3
        b.in_work.remove(one)
        b.give(job())
        await b.finished.receive()
        assert b.provider.keys == ["KEY_A", "KEY_B", "KEY_B"]
        assert list(b.gates.keys["p"].describe(trio.current_time())) == ["KEY_A"]


async def test_after_its_rest_a_key_is_tried_again(autojump_clock: Any) -> None:
    async with bench(failure(**AUTH), ANSWER, keys=["A", "B"], key_rest_seconds=60.0) as b:
        b.give(one := job())
        await b.finished.receive()
        await trio.sleep(60)
        b.in_work.remove(one)
        b.give(job())
        await b.finished.receive()
        assert b.provider.keys == ["A", "B", "A"]


@pytest.mark.parametrize("holds", [True, False])
async def test_max_attempts_holds_over_keys(autojump_clock: Any, *, holds: bool) -> None:
    async with bench(failure(**AUTH), keys=list("ABCDEF"), max_attempts=2, holds=holds) as b:
        b.give(one := job("m", "other"))
        await b.finished.receive()
        assert b.provider.keys == ["A", "B"]
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "authentication_failed"


async def test_without_a_key_a_request_waits_and_loses_no_attempt(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(failure(**AUTH), ANSWER, keys=["A"], key_rest_seconds=60.0) as b:
        for number in range(3):
            b.give(one := job(number=number))
            assert await b.routed.receive() is one
            assert [(a.outcome, a.uncounted) for a in one.attempts] == [
                ("authentication_failed", True)
            ][: 1 - number]
            b.in_work.remove(one)
        assert len(b.provider.calls) == 1
        refused = b.gates.no_key("p", trio.current_time())
        assert refused is not None
        assert refused.describe("p", refused.until - 7) == (
            "every key of provider p is suspended: authentication_failed (HTTP 401), for 7 s more"
            " (A)"
        )
        await trio.sleep(60)
        b.give(one)
        await b.finished.receive()
        assert one.outcome == ANSWER
        assert b.gates.refused == {}


REFUSALS = [
    ({}, "the key from A was refused: "),
    ({"type": "quota_exceeded", "status_code": 429}, "the quota of the key from A is used up: "),
    (
        {"scope": "request", "suspects": "key", "status_code": 403},
        "the call with the key from A was refused: ",
    ),
    ({"type": "model_unavailable", "scope": "request", "status_code": 403}, ""),
]


@pytest.mark.parametrize(("how", "told"), REFUSALS)
@pytest.mark.parametrize("keys", [["A"], []], ids=["key", "none"])
async def test_a_refusal_names_the_variable_or_file_of_a_key_that_may_be_at_fault(
    autojump_clock: Any, how: dict[str, Any], told: str, keys: list[str]
) -> None:
    no = failure(**{**AUTH, **how}, message="HTTP: said the provider")
    async with bench(no, keys=keys, holds=False) as b:
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        expected = f"{told if keys else ''}HTTP: said the provider"
        assert one.outcome.message == one.attempts[-1].error == expected


PERHAPS = {
    "type": "authentication_failed",
    "retryable": False,
    "scope": "request",
    "suspects": "key",
    "status_code": 403,
}


@pytest.mark.parametrize("status", [402, 403])
async def test_a_key_is_suspended_by_the_second_request_in_a_row_not_by_one(
    autojump_clock: Any, status: int
) -> None:
    no = failure(**{**PERHAPS, "status_code": status}, message="of one request only")
    async with bench(no, no, ANSWER, no, no, keys=["A"], holds=False) as b:
        ended = []
        for number in (1, 1, 2, 3, 4, 5):
            b.give(one := job(number=number))
            await b.finished.receive()
            ended.append(one.outcome)
            b.in_work.remove(one)
        assert len(b.provider.calls) == 5
        assert ended[2] == ANSWER
        last = ended[-1]
        assert isinstance(last, Failure)
        assert "of one request only" not in last.message
        assert last.message.startswith("every key of provider p is suspended: authent")


async def test_a_request_that_may_be_refused_for_its_key_tries_another(autojump_clock: Any) -> None:
    async with bench(failure(**PERHAPS), ANSWER, keys=["A", "B"]) as b:
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER
        assert b.provider.keys == ["A", "B"]
        assert [a.uncounted for a in one.attempts] == [False, False]
        assert b.gates.keys["p"].describe(trio.current_time()) == {}


async def test_when_every_key_is_refused_nobody_is_called_for_a_while(autojump_clock: Any) -> None:
    async with bench(failure(**AUTH), keys=["A", "B"], key_rest_seconds=60.0, holds=False) as b:
        for expected in (2, 2):
            b.give(one := job())
            await b.finished.receive()
            assert isinstance(one.outcome, Failure)
            assert one.outcome.type == "authentication_failed"
            assert len(b.provider.keys) == expected
            b.in_work.remove(one)
        await trio.sleep(60)
        b.give(job())
        await b.finished.receive()
        assert len(b.provider.keys) == 4


async def test_a_key_that_comes_too_early_makes_way_for_another(autojump_clock: Any) -> None:
    later = failure(**RATE_LIMITED, retry_after=30.0)
    async with bench(later, ANSWER, later, keys=["A", "B"]) as b:
        b.give(one := job())
        await b.finished.receive()
        assert [a.uncounted for a in one.attempts] == [True, False]
        assert b.gates.wait("p", "m", trio.current_time()) == 0.0
        b.in_work.remove(one)
        b.give(one := job())
        assert await b.routed.receive() is one  # now both are
        wait = b.gates.wait("p", "m", trio.current_time())
        assert 25.0 < wait < 30.0
        assert b.provider.keys == ["A", "B", "B"]


async def test_a_call_that_is_not_permitted_after_all_leaves_the_probe_to_another(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        return [(None, None, None, "", ("10.0.0.7", 443))]

    monkeypatch.setattr("trio.socket.getaddrinfo", getaddrinfo)
    part = {"type": "image_url", "image_url": {"url": "https://rebound.example/"}}
    async with bench(failure(), ANSWER, breaker_failures=1, max_retries=0) as b:
        b.give(one := job())
        await b.finished.receive()
        await trio.sleep(10.0)
        b.in_work.remove(one)
        b.give(one := job())
        assert isinstance(one.body, LLMRequest)
        one.body = structs.replace(one.body, messages=({"role": "user", "content": [part]},))
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert (one.outcome.type, len(b.provider.calls)) == ("request_rejected", 1)
        b.in_work.remove(one)
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER
