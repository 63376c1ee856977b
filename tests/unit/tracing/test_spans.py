"""What a job says of itself, as spans."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, Usage
from nexus_actors.contract.trace import TraceParent
from nexus_actors.routing.in_force import InForce
from nexus_actors.storage.requests import Attempt, Lease
from nexus_actors.tracing import conventions as name
from nexus_actors.tracing.spans import Clock, How, Span, spans_of
from nexus_actors.tracing.tracer import Tracer
from nexus_actors.work.job import Job, Wait
from tests.unit.parts import settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRACE = TraceParent("a" * 32, "b" * 16, 1)
ANSWER = Answer(
    response="SECRET answer",
    provider="one",
    model="m",
    usage=Usage(5, 7, 12, cached_tokens=2, reasoning_tokens=3),
    cost=0.5,
    finish_reason="stop",
    response_id="resp-1",
)


def attempt(number: int, outcome: str = "ok", *, after: float = 1.0, **more: Any) -> Attempt:
    """Begun so many seconds after noon."""
    fields: dict[str, Any] = {
        "number": number,
        "provider": "one",
        "model": "m",
        "outcome": outcome,
        "status_code": None,
        "duration_ms": 100,
        "cost": None,
        "error": None if outcome == "ok" else "SECRET words of a provider",
        "started_at": NOON + timedelta(seconds=after),
    }
    return Attempt(**{**fields, **more})


def job(**fields: Any) -> Job:
    """Leased at second 0 of its clock, which is noon; sent two seconds before."""
    messages = ({"role": "user", "content": "SECRET prompt"},)
    body = LLMRequest(request_id="r", complexity="simple", messages=messages, agent_id="me")
    usual: dict[str, Any] = {
        "lease": Lease(7, 2),
        "body": body,
        "request_id": "r",
        "leased_at": 0.0,
        "waits_since": -2.0,
        "span": TRACE,
    }
    return Job(**{**usual, **fields})


def spans(of: Job, how: How = "ended", *, now: float = 3.0) -> list[Span]:
    """Of a job that leaves so many seconds after noon."""
    ids = iter(f"{number:016x}" for number in range(1, 100))
    clock = Clock(now, int((NOON.timestamp() + now) * 1e9))
    return spans_of(of, how, clock, queue="q", new_ids=ids, providers={"one": {"fixed": 1}})


def seconds(span: Span) -> tuple[float, float]:
    """When it began and ended, after noon."""
    noon = int(NOON.timestamp() * 1e9)
    return (span.start - noon) / 1e9, (span.end - noon) / 1e9


def test_an_answered_request_from_its_sending_to_its_publishing() -> None:
    ended = job(
        attempts=[attempt(1, "provider_error", status_code=503), attempt(2, after=1.5, cost=0.5)],
        outcome=ANSWER,
        finished_at=NOON + timedelta(seconds=2),
        traceparent=TraceParent("a" * 32, "c" * 16, 1),
        body=LLMRequest(
            request_id="r", complexity="simple", messages=(), temperature=0.5, stream=True
        ),
    )
    ended.step("validate")
    ended.step("route_llm", candidates=["one/m"], route="routes[0]")
    lease, wait, route, first, second, publish = spans(ended)
    assert (lease.name, lease.kind, lease.span_id) == ("process q", "consumer", TRACE.span_id)
    assert (lease.parent, lease.parent_is_remote) == ("c" * 16, True)
    assert seconds(lease) == (-2.0, 3.0)
    assert {it.parent for it in (wait, route, first, second, publish)} == {TRACE.span_id}
    assert {it.trace_id for it in (lease, wait, route, first, second, publish)} == {TRACE.trace_id}
    assert seconds(wait) == (-2.0, 0.0)
    assert route.attributes == {name.ROUTE: "routes[0]", name.ROUTE_CANDIDATES: ["one/m"]}
    assert (first.error, first.attributes[name.ERROR_TYPE]) == (True, "provider_error")
    assert name.GEN_AI_RESPONSE_MODEL not in first.attributes
    assert second.attributes == {
        "fixed": 1,
        name.GEN_AI_OPERATION_NAME: "chat",
        name.GEN_AI_REQUEST_MODEL: "m",
        name.GEN_AI_REQUEST_TEMPERATURE: 0.5,
        name.GEN_AI_REQUEST_STREAM: True,
        name.GEN_AI_RESPONSE_MODEL: "m",
        name.GEN_AI_RESPONSE_ID: "resp-1",
        name.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
        name.GEN_AI_USAGE_INPUT_TOKENS: 5,
        name.GEN_AI_USAGE_OUTPUT_TOKENS: 7,
        name.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 2,
        name.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 3,
        name.PROVIDER: "one",
        name.ATTEMPT_NUMBER: 2,
        name.COST: 0.5,
    }
    assert seconds(publish)[1] == 3.0
    assert "SECRET" not in repr([lease, wait, route, first, second, publish])


@pytest.mark.parametrize("set_by", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile_turns_no_order_round(set_by: float) -> None:
    attempts = [
        attempt(1, "timeout", after=1.0 + set_by),
        attempt(2, after=1.2 + set_by, first_text_ms=50),
        attempt(3, after=1.2),
    ]
    ended = job(attempts=attempts, outcome=ANSWER, finished_at=NOON + timedelta(seconds=set_by))
    lease, *below = spans(ended)
    for span in below:
        assert lease.start <= span.start <= span.end <= lease.end
    assert all(one.end <= other.start for one, other in pairwise(below))


def test_what_goes_back_to_wait_says_for_what() -> None:
    back = job(attempts=[attempt(1, "rate_limited", uncounted=True)], waited_for="budget")
    back.wait = Wait("throttled", "SECRET detail")
    lease, wait, call = spans(back, "given_back")
    assert lease.attributes[name.OUTCOME] == "given_back"
    assert lease.attributes[name.WAIT_REASON] == "throttled"
    assert not lease.error
    assert wait.attributes == {name.WAIT_REASON: "budget"}
    assert call.attributes[name.ATTEMPT_UNCOUNTED] is True
    assert "SECRET" not in repr([lease, wait, call])


def test_a_failed_request_is_an_error_by_name_alone() -> None:
    why = Failure(type=ErrorType.TIMEOUT, message="SECRET", retryable=False)
    lease, *_ = spans(job(outcome=why, finished_at=NOON))
    assert lease.error
    assert lease.attributes[name.ERROR_TYPE] == lease.attributes[name.OUTCOME] == "timeout"
    odd = Failure(type="what an earlier release wrote", message="SECRET", retryable=False)
    lease, *_ = spans(job(outcome=odd, finished_at=NOON))
    assert lease.attributes[name.ERROR_TYPE] == "_OTHER"


def test_one_whose_lease_was_lost_has_no_outcome_of_ours() -> None:
    lease, *below = spans(job(outcome=ANSWER, finished_at=NOON), "lost")
    assert (lease.attributes[name.OUTCOME], lease.error) == ("lost", False)
    assert [it.name for it in below] == ["wait"]


def test_words_of_others_are_bounded_and_steer_nothing() -> None:
    long, odd = "x" * 100_000, "a\ud800\x1b\n\u202e"
    body = Refusal(type=ErrorType.INVALID_REQUEST, message="no", agent_id=long, task_type=odd)
    lease, *_ = spans(job(body=body, request_id=odd), "lost")
    assert lease.attributes[name.REQUEST_ID] == "a\\ud800\\x1b\\n\\u202e"
    assert len(str(lease.attributes[name.GEN_AI_AGENT_ID])) == 255
    [*_, call] = spans(job(attempts=[attempt(1, model=long + odd)]), "lost")
    assert len(call.name) < 300


class Kept(list[Span]):
    """A sink."""

    def put(self, spans: list[Span]) -> None:
        self += spans


def tracer(sample: float = 1.0, sink: Kept | None = None, **sections: Any) -> Tracer:
    tracing = {"endpoint": "http://collector:4318", "sample": sample}
    in_force = InForce(settings(tracing=tracing, **sections))
    return Tracer(in_force, Kept() if sink is None else sink)


async def test_who_has_a_trace_decides_whether_it_is_traced() -> None:
    sampled, unsampled = (TraceParent("a" * 32, "c" * 16, flags) for flags in (3, 2))
    wanted = job(span=None, traceparent=sampled)
    tracer(0.0).begin(wanted, NOON)
    assert wanted.span is not None
    assert (wanted.span.trace_id, wanted.span.flags) == ("a" * 32, 3)
    assert wanted.span.span_id != sampled.span_id
    unwanted = job(span=None, traceparent=unsampled)
    sink = Kept()
    tracer(1.0, sink).begin(unwanted, NOON)
    assert unwanted.span is None
    assert unwanted.trace == unsampled
    tracer(1.0, sink).left(unwanted, "ended")
    assert sink == []


async def test_each_process_finds_the_same_trace_for_a_request_without_one() -> None:
    def found(by: Tracer, sent_at: datetime = NOON, **fields: Any) -> TraceParent | None:
        leased = job(span=None, **fields)
        by.begin(leased, sent_at)
        return leased.span

    here, there, few, none = tracer(), tracer(), tracer(0.25), tracer(0.0)
    one, other = found(here), found(there)
    assert one is not None
    assert other is not None
    assert one.trace_id == other.trace_id
    assert one.span_id != other.span_id
    assert one.is_sampled
    for another in (
        found(here, NOON + timedelta(microseconds=1)),
        found(here, lease=Lease(8, 2)),
        found(here, request_id="s"),
    ):
        assert another is not None
        assert another.trace_id != one.trace_id
    assert found(here, request_id=None) is None  # nothing identifies it
    assert found(none) is None
    chosen = [found(few, request_id=str(n)) is not None for n in range(1000)]
    assert 200 < sum(chosen) < 300
    assert chosen == [found(few, request_id=str(n)) is not None for n in range(1000)]


async def test_a_call_says_whom_it_went_to() -> None:
    sink = Kept()
    providers = {
        "mine": {"kind": "openai_compatible", "base_url": "http://127.0.0.1:8000/v1"},
        "fast": {"kind": "openai_compatible", "preset": "groq", "api_key_env": []},
        "google": {"kind": "gemini", "api_key_env": []},
    }
    routes = [{"complexity": "*", "task_type": "*", "models": ["mine/m"]}]
    who = tracer(sink=sink, providers=providers, routes=routes)
    attempts = [attempt(n, provider=it) for n, it in enumerate(providers)]
    who.left(job(attempts=attempts, leased_at=trio.current_time()), "lost")
    told = [
        tuple(it.attributes.get(key) for key in (name.GEN_AI_PROVIDER_NAME, name.SERVER_ADDRESS))
        for it in sink
        if it.kind == "client"
    ]
    assert told == [
        ("mine", "127.0.0.1"),
        ("groq", "api.groq.com"),
        ("gcp.gemini", "generativelanguage.googleapis.com"),
    ]


async def test_a_line_of_the_log_has_the_ids_of_its_request_and_its_trace() -> None:
    producer = TraceParent("d" * 32, "c" * 16, 0)
    assert job(span=None).ids == {"request_id": "r"}
    assert job(span=None, traceparent=producer).ids == {"request_id": "r", "trace_id": "d" * 32}
    assert job(traceparent=producer).ids == {"request_id": "r", "trace_id": TRACE.trace_id}


async def test_who_tells_of_a_request_that_cannot_be_traced_goes_on() -> None:
    sink = Kept()
    made = tracer(sink=sink)
    broken = job(attempts=[attempt(1, started_at=None)])
    with capture_logs() as lines:
        made.left(broken, "ended")
        made.left(broken, "ended")
        made.left(job(), "lost")
    assert [it["event"] for it in lines] == ["a request could not be traced"]
    assert [it.name for it in sink][:1] == ["process ai_requests"]
