"""A worker on virtual time: what it retries, how long it waits, when it gives up."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.lowlevel
from pydantic import SecretStr

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, Usage
from nexus_actors.limits.gates import Gates
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.lane import Lane
from nexus_actors.pipeline.metrics import Metrics
from nexus_actors.pipeline.provider_limits import ProviderLimits
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.pipeline.text_streams import TextStreams
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSettings
from nexus_actors.settings.model import ModelRef
from nexus_actors.storage.ports import Lease
from supervisors import Registry, open_tree

ANSWER = Answer(
    response="yes", provider="p", model="m", usage=Usage(1, 1, 2), cost=0.25, finish_reason="stop"
)


def failure(**fields: Any) -> ProviderFailure:
    return ProviderFailure(
        **{"type": "provider_error", "message": "no", "retryable": True, **fields}
    )


@dataclass
class Scripted:
    """A provider that answers as told; the last outcome repeats."""

    outcomes: list[Outcome | Callable[[], Outcome]]
    settings: type[ProviderSettings] = ProviderSettings
    calls: list[tuple[float, str, float]] = field(default_factory=list)
    """When, which model, with which timeout."""
    delay: float = 1.0

    @asynccontextmanager
    async def open(
        self, name: str, settings: Any, api_key: SecretStr | None
    ) -> AsyncIterator["Scripted"]:
        yield self

    async def complete(
        self, request: LLMRequest, model: str, *, timeout: float, on_text: Any = None
    ) -> Outcome:
        self.calls.append((trio.current_time(), model, timeout))
        await trio.sleep(self.delay)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return outcome() if callable(outcome) else outcome


@dataclass
class Bench:
    """One worker and what it hands on."""

    provider: Scripted
    in_work: InWork
    lane: Lane
    routed: trio.MemoryReceiveChannel[Job]
    finished: trio.MemoryReceiveChannel[Job]
    metrics: Metrics
    gates: Gates

    def give(self, job: Job) -> None:
        self.in_work.add(job)
        self.lane.put(job)
        self.in_work.enter_lane(job, "p")


@asynccontextmanager
async def bench(
    *outcomes: Outcome | Callable[[], Outcome], max_attempts: int = 5, **settings: Any
) -> AsyncIterator[Bench]:
    in_work, lane, metrics = InWork({"p": 1}), Lane(2), Metrics()
    gates = Gates()
    to_router, routed = trio.open_memory_channel[Job](9)
    to_publisher, finished = trio.open_memory_channel[Job](9)
    provider = Scripted(list(outcomes))
    registry = Registry("Registry")

    checked = ProviderSettings(kind="scripted", **settings)
    limits = ProviderLimits(
        provider="p",
        settings=checked,
        gates=gates,
        in_work=in_work,
        breaker=registry.via("p.Breaker"),
    )

    def worker() -> ProviderWorker:
        return ProviderWorker(
            provider="p",
            kind=provider,
            settings=checked,
            api_key=None,
            max_attempts=max_attempts,
            in_work=in_work,
            metrics=metrics,
            lane=lane,
            limits=limits,
            streams=TextStreams(),
            pool=registry.via("p.Pool"),
            to_router=to_router,
            to_publisher=to_publisher,
        )

    async with open_tree(worker):
        yield Bench(provider, in_work, lane, routed, finished, metrics, gates)


def job(*models: str, **fields: Any) -> Job:
    return Job(
        lease=Lease(1, 1),
        body=LLMRequest(request_id="r", complexity="simple", messages=()),
        request_id="r",
        candidates=tuple(ModelRef("p", model) for model in models or ("m",)),
        **fields,
    )


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


async def test_what_the_provider_asks_to_wait_is_waited(autojump_clock: Any) -> None:
    async with bench(failure(retry_after=7.0), ANSWER) as b:
        b.give(job())
        await b.finished.receive()
        (first, _, _), (second, _, _) = b.provider.calls
        assert second - first == pytest.approx(8.0)


async def test_what_cannot_succeed_is_not_retried_but_falls_back(autojump_clock: Any) -> None:
    async with bench(failure(retryable=False)) as b:
        b.give(one := job("m", "other"))
        assert await b.routed.receive() is one
        assert one.candidate.model == "other"
        assert one.lane is None
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


async def test_what_was_given_up_in_the_lane_is_passed_over(autojump_clock: Any) -> None:
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
