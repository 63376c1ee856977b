"""How a result becomes a row."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.result import LLMResult
from nexus_actors.storage.job_results import INT4_MAX, WORKFLOW, cents, job_result
from nexus_actors.storage.requests import Lease
from nexus_actors.storage.results import JobResult

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EIGHT = {
    "request_id": "r",
    "agent_id": "agent",
    "response": "text",
    "model": "claude-sonnet-4-5",
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 200,
        "total_tokens": 300,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
    },
    "cost": 0.015,
    "latency_ms": 2500,
    "timestamp": "2025-10-25T22:00:05Z",
}


def row(**fields: Any) -> JobResult:
    result = decode_result(json.dumps(fields), now=NOW)
    assert isinstance(result, LLMResult)
    return job_result(result, Lease(7, 1))


def test_cents_are_rounded_half_up_and_fit_their_column() -> None:
    cases = [
        (None, 0),
        (0.0, 0),
        (0.004999, 0),
        (0.005, 1),
        (0.015, 2),
        (0.025, 3),  # 2.5 in binary, and half to even would be 2
        (1.005, 101),  # 100.49999999999999 in binary arithmetic
        (0.1 + 0.2, 30),
        (1, 100),
        (21474836.46, INT4_MAX - 1),
        (21474836.47, INT4_MAX),
        (1e9, INT4_MAX),
        (1e30, INT4_MAX),
        (1e308, INT4_MAX),
        (5e-324, 0),
    ]
    wrong = [
        (cost, expected, found) for cost, expected in cases if (found := cents(cost)) != expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_result_of_the_contract_becomes_the_contracts_row() -> None:
    made = row(**EIGHT, complexity="complex", task_type="qa", status="ok")
    assert (made.lease, made.request_id, made.workflow) == (Lease(7, 1), "r", WORKFLOW)
    assert (made.status, made.error) == ("success", None)
    assert (made.tokens_used, made.cost_cents, made.duration_ms) == (300, 2, 2500)
    assert made.completed_at == datetime(2025, 10, 25, 22, 0, 5, tzinfo=UTC)
    assert json.loads(made.input) == {
        "request_id": "r",
        "agent_id": "agent",
        "complexity": "complex",
        "task_type": "qa",
    }
    output = json.loads(made.output)
    for name in ("request_id", "response", "model", "usage", "cost", "latency_ms"):
        assert output[name] == EIGHT[name]


def test_an_unknown_price_is_none_in_the_output_and_0_in_the_column() -> None:
    made = row(**{**EIGHT, "cost": None})
    assert json.loads(made.output)["cost"] is None
    assert made.cost_cents == 0


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        ({"type": "timeout", "message": "late"}, "timeout", "timeout: late"),
        ({"type": "rate_limited", "message": "slow"}, "failed", "rate_limited: slow"),
        ("plain words", "failed", "provider_error: plain words"),
        ({}, "failed", "provider_error: no reason given"),
    ],
)
def test_a_failure_becomes_failed_or_timeout_with_its_error(
    error: Any, status: str, text: str
) -> None:
    made = row(request_id="r", status="error", response=None, error=error, latency_ms=3)
    assert (made.status, made.error) == (status, text)
    assert (made.tokens_used, made.cost_cents, made.duration_ms) == (0, 0, 3)
    assert json.loads(made.output)["response"] is None


def test_nothing_but_an_id_is_enough() -> None:
    made = row(request_id="r")
    assert (made.status, made.tokens_used, made.cost_cents, made.duration_ms) == (
        "success",
        0,
        0,
        0,
    )
    assert made.completed_at == NOW
    assert json.loads(made.input) == {
        "request_id": "r",
        "agent_id": None,
        "complexity": None,
        "task_type": None,
    }


def test_numbers_stay_within_their_columns() -> None:
    made = row(request_id="r", usage={"total_tokens": 2**40}, latency_ms=1e300, cost="9" * 40)
    assert (made.tokens_used, made.duration_ms, made.cost_cents) == (INT4_MAX,) * 3
    made = row(request_id="r", usage={"total_tokens": -1}, latency_ms=-5, cost=-1)
    assert (made.tokens_used, made.duration_ms, made.cost_cents) == (0, 0, 0)
