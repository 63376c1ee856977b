"""A worker on virtual time: what it retries, how long it waits, when it gives up."""

import itertools
from typing import Any

import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.contract.result import Failure
from nexus_actors.providers.port import Outcome
from nexus_actors.work.job import Job
from tests.unit.parts import control_row
from tests.unit.pipeline.worker_bench import ANSWER, bench, failure, job


async def test_an_answer_goes_to_the_publisher(autojump_clock: Any) -> None:
    async with bench(ANSWER) as b:
        b.give(one := job())
        assert await b.finished.receive() is one
        assert one.outcome == ANSWER
        assert [(a.number, a.outcome, a.cost, a.duration_ms) for a in one.attempts] == [
            (1, "ok", 0.25, 1000)
        ]
        assert one.latency_ms == 1000


async def test_a_failure_is_retried_so_often_and_after_growing_pauses(autojump_clock: Any) -> None:
    async with bench(failure(), max_retries=2) as b:
        b.give(one := job())
        await b.finished.receive()
        times = [at for at, _, _ in b.provider.calls]
        assert len(times) == 3
        first, second = (later - at - 1.0 for at, later in itertools.pairwise(times))
        assert 0.375 <= first <= 0.5
        assert 0.75 <= second <= 1.0
        assert one.outcome == Failure(
            type="provider_error", message="no", retryable=True, provider="p"
        )


async def test_each_failed_call_is_in_the_log_with_its_error(autojump_clock: Any) -> None:
    with capture_logs() as lines:
        async with bench(failure(), failure(status_code=503), ANSWER) as b:
            b.give(job())
            await b.finished.receive()
    told = [it for it in lines if it["event"] == "call failed"]
    assert [(it["log_level"], it["attempt"], it["status_code"]) for it in told] == [
        ("info", 1, None),
        ("info", 2, 503),
    ]
    assert {it["message"] for it in told} == {"no"}


async def test_what_the_provider_asks_to_wait_is_waited(autojump_clock: Any) -> None:
    async with bench(failure(retry_after=4.0), ANSWER) as b:
        b.give(job())
        await b.finished.receive()
        (first, _, _), (second, _, _) = b.provider.calls
        assert second - first == pytest.approx(5.0)


async def test_no_call_begins_that_an_operator_has_paused_in_the_midst_of_retries(
    autojump_clock: Any,
) -> None:
    async with bench(failure(retry_after=4.0), ANSWER) as b:
        b.give(one := job())
        await trio.sleep(2)
        b.desired.replace([control_row("pause", "model", "m")], "ai_requests", 0.0)
        assert await b.routed.receive() is one
        assert len(b.provider.calls) == 1


async def test_no_call_begins_that_was_paused_while_its_budget_was_asked(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(_self: Checks, _job: Job) -> None:
        await trio.sleep(1)

    monkeypatch.setattr(Checks, "refusal", slowly)
    async with bench(ANSWER) as b:
        b.give(one := job())
        await trio.sleep(0.5)
        b.desired.replace([control_row("pause", "provider", "p")], "ai_requests", 0.0)
        assert await b.routed.receive() is one
        assert b.provider.calls == []


@pytest.mark.parametrize("is_stopping", [False, True])
async def test_a_drain_waits_for_no_retry(autojump_clock: Any, *, is_stopping: bool) -> None:
    async with bench(failure(retry_after=4.0), ANSWER) as b:
        b.give(one := job())
        await trio.sleep(2)
        b.in_work.drain()
        b.in_work.stopping = is_stopping
        b.in_work.leave_unbegun()
        assert await b.routed.receive() is one
        assert trio.current_time() < 3
        assert len(b.provider.calls) == 1


async def test_a_long_pause_is_waited_in_the_queue_not_by_the_worker_and_counts(
    autojump_clock: Any,
) -> None:
    async with bench(failure(status_code=503, retry_after=100.0), max_retries=2) as b:
        for calls in (1, 2):
            b.give(one := job(prior_attempts=calls - 1))
            assert await b.routed.receive() is one
            assert trio.current_time() < 5
            assert one.pauses[one.candidate].until == pytest.approx(trio.current_time() + 100.0)
            assert [(a.number, a.uncounted) for a in one.attempts] == [(calls, False)]
            assert b.gates.wait("p", "m", trio.current_time()) == 0.0  # others may try
            b.in_work.remove(one)
        b.give(one := job(prior_attempts=2))
        await b.finished.receive()  # so often it was repeated, in the queue or here
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "provider_error"


async def test_what_cannot_succeed_is_not_retried_but_falls_back(autojump_clock: Any) -> None:
    async with bench(failure(retryable=False)) as b:
        b.give(one := job("m", "other"))
        assert await b.routed.receive() is one
        assert one.candidate.model == "other"
        assert len(b.provider.calls) == 1


async def test_max_attempts_counts_those_before_too(autojump_clock: Any) -> None:
    async with bench(failure(), max_attempts=3, max_retries=9) as b:
        b.give(one := job("m", "other", prior_attempts=1))
        await b.finished.receive()
        assert len(b.provider.calls) == 2
        assert one.attempt_count == 3


async def test_a_call_gets_no_more_time_than_the_request_has(autojump_clock: Any) -> None:
    async with bench(failure(), timeout=120.0) as b:
        b.give(job(deadline=trio.current_time() + 3.5))
        await b.finished.receive()
        assert b.provider.calls[0][2] == pytest.approx(3.5)
        assert b.provider.calls[1][2] < 2.2


async def test_no_pause_outlives_the_deadline(autojump_clock: Any) -> None:
    async with bench(failure(retry_after=30.0)) as b:
        b.give(one := job(deadline=trio.current_time() + 10))
        await b.finished.receive()
        assert len(b.provider.calls) == 1
        assert one.outcome is not None


async def test_a_request_that_comes_too_late_is_not_called_for(autojump_clock: Any) -> None:
    async with bench(ANSWER) as b:
        b.give(one := job(deadline=trio.current_time() - 1))
        await b.finished.receive()
        assert b.provider.calls == []
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "timeout"


async def test_a_lost_lease_ends_the_call_and_the_worker_takes_the_next(
    autojump_clock: Any,
) -> None:
    async with bench(ANSWER) as b:
        b.give(one := job())
        await trio.sleep(0.5)
        assert one.call is not None
        one.call.cancel()
        b.in_work.remove(one)
        b.give(other := job())
        assert await b.finished.receive() is other
        assert one.outcome is None
        assert one.attempts == []


async def test_what_was_given_up_in_the_queue_is_passed_over(autojump_clock: Any) -> None:
    async with bench(ANSWER) as b:
        one, other = job(), job()
        b.give(one)
        b.in_work.remove(one)
        b.give(other)
        assert await b.finished.receive() is other
        assert len(b.provider.calls) == 1


async def test_a_mistake_in_the_provider_is_one_requests_trouble(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake() -> Outcome:
        raise ZeroDivisionError("with a secret in it")

    async with bench(mistake, ANSWER) as b:
        b.give(one := job())
        assert await b.finished.receive() is one
        assert [a.outcome for a in one.attempts] == ["internal_error", "ok"]
        assert one.attempts[0].error == "ZeroDivisionError in the provider's adapter"
        assert one.attempts[0].maybe_paid


async def test_a_long_pause_is_not_waited_for_while_there_is_another_model(
    autojump_clock: Any,
) -> None:
    async with bench(failure(retry_after=60.0)) as b:
        b.give(one := job("m", "other"))
        assert await b.routed.receive() is one
        assert trio.current_time() < 5


async def test_a_provider_that_does_not_keep_its_timeout_is_cut_off(autojump_clock: Any) -> None:
    async with bench(ANSWER, timeout=0.5, max_retries=0) as b:
        b.provider.delay = 3600.0
        b.give(one := job())
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert one.outcome.type == "timeout"
        assert one.attempts[0].maybe_paid


async def test_who_is_out_of_time_after_calls_is_told_of_them_not_of_an_earlier_wait(
    autojump_clock: Any,
) -> None:
    async with bench(failure(status_code=503)) as b:
        b.give(one := job(waited_for="provider_full", waited_detail="p"))
        await trio.sleep(1.1)
        one.deadline = trio.current_time()  # the pause before the retry lasts longer
        await b.finished.receive()
        assert isinstance(one.outcome, Failure)
        assert one.outcome.message == "timed out, after 1 attempt (the last: provider_error)"


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_wait_for_a_share_of_the_rate_limit_is_named_only_while_it_lasts(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """Also if it ends because the limits have changed."""
    limited = [True, False]

    async def admit(*_: object) -> bool:
        await trio.sleep(5)
        return False

    monkeypatch.setattr(ProviderAdmission, "are_counted", property(lambda _: limited.pop(0)))
    monkeypatch.setattr(ProviderAdmission, "admit", admit)
    waits: list[object] = []

    def answer() -> Outcome:
        waits.append(one.wait)
        return ANSWER

    async with bench(answer) as b:
        one = job(deadline=trio.current_time() + (3 if is_late else 9))
        b.give(one)
        await b.finished.receive()
    if is_late:
        assert isinstance(one.outcome, Failure)
        assert one.outcome.message == "timed out while waiting for the rate limit of p/m"
    else:
        assert waits == [None]
