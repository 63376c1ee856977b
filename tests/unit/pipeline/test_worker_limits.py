"""What a worker makes of a provider that says later, keeps failing, or refuses a key."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.lowlevel

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
        assert [(a.number, a.outcome, a.spared) for a in one.attempts] == [
            (1, "rate_limited", True)
        ]
        now = trio.current_time()
        assert b.gates.wait("p", "m", now) == pytest.approx(30.0)
        assert b.gates.wait("p", "other", now) == 0.0


async def test_too_early_again_and_again_is_asked_less_and_less_often(autojump_clock: Any) -> None:
    async with bench(failure(**RATE_LIMITED), pool_size=4) as b:
        pauses = []
        one = job()
        for _ in range(6):
            b.give(one)
            await b.routed.receive()
            pauses.append(b.gates.wait("p", "m", trio.current_time()))
            await trio.sleep(pauses[-1])
        assert all(later > 1.4 * one for one, later in itertools.pairwise(pauses[:4]))
        assert 6.0 <= pauses[-1] <= 8.0


async def test_too_early_halves_the_calls_at_once_and_answers_bring_them_back(
    autojump_clock: Any,
) -> None:
    async with bench(failure(**RATE_LIMITED, retry_after=1.0), ANSWER, pool_size=8) as b:
        b.give(one := job())
        await b.routed.receive()
        assert b.in_work.slots("p") == 4
        await trio.sleep(1)
        for _ in range(4 + 5):
            b.in_work.remove(one)
            b.give(one := job())
            await b.finished.receive()
        assert b.in_work.slots("p") == 5


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


async def test_a_refused_key_is_set_aside_and_the_next_tried_at_once(
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
        assert list(b.in_work.keys_held["p"](trio.current_time())) == ["KEY_A"]


async def test_after_its_rest_a_key_is_tried_again(autojump_clock: Any) -> None:
    async with bench(failure(**AUTH), ANSWER, keys=["A", "B"], key_rest_seconds=60.0) as b:
        b.give(one := job())
        await b.finished.receive()
        await trio.sleep(60)
        b.in_work.remove(one)
        b.give(job())
        await b.finished.receive()
        assert b.provider.keys == ["A", "B", "A"]


async def test_when_every_key_is_refused_nobody_is_called_for_a_while(autojump_clock: Any) -> None:
    async with bench(failure(**AUTH), keys=["A", "B"], key_rest_seconds=60.0) as b:
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
        assert [a.spared for a in one.attempts] == [True, False]
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
        one.body = replace(one.body, messages=({"role": "user", "content": [part]},))
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert (one.outcome.type, len(b.provider.calls)) == ("request_rejected", 1)
        b.in_work.remove(one)
        b.give(one := job())
        await b.finished.receive()
        assert one.outcome == ANSWER
