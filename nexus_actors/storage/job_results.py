"""Converts a result to a row of `job_results`, whose columns are part of the contract."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from nexus_actors.contract.encode import encode_result
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import dump
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.contract.wording import with_path
from nexus_actors.storage.requests import Lease
from nexus_actors.storage.results import JobResult

WORKFLOW = "Singularity.Workflows.LlmRequest"
INT4_MAX = 2**31 - 1


def job_result(result: LLMResult, lease: Lease, output: str | None = None) -> JobResult:
    """The row of one result. The column `output` holds the whole result, more than the contract
    requires. `output` is the result's encoding, if that was made already.
    """
    answer = result.outcome if isinstance(result.outcome, Answer) else None
    return JobResult(
        lease=lease,
        request_id=result.request_id,
        workflow=WORKFLOW,
        status=_status(result.outcome),
        input=dump(
            {
                "request_id": result.request_id,
                "agent_id": result.agent_id,
                "complexity": result.complexity,
                "task_type": result.task_type,
            }
        ),
        output=encode_result(result) if output is None else output,
        error=None if answer else _error(result.outcome),
        tokens_used=min(answer.usage.total_tokens, INT4_MAX) if answer else 0,
        cost_cents=cents(answer.cost) if answer else 0,
        duration_ms=result.latency_ms,
        completed_at=result.timestamp,
        supersedes=result.supersedes,
    )


def cents(cost: float | None) -> int:
    """US dollars in whole cents, half a cent rounded up, limited to the column's range. 0 if the
    price is unknown, since the column is not null.
    """
    if cost is None:
        return 0
    # Before any arithmetic: a decimal of more than 28 digits cannot be rounded to a whole.
    if cost >= INT4_MAX / 100:
        return INT4_MAX
    whole = (Decimal(repr(cost)) * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return int(whole)


def _status(outcome: Answer | Failure) -> Literal["success", "failed", "timeout"]:
    match outcome:
        case Answer():
            return "success"
        case Failure(type=ErrorType.TIMEOUT):
            return "timeout"
        case Failure():
            return "failed"


def _error(outcome: Answer | Failure) -> str | None:
    if not isinstance(outcome, Failure):
        return None
    return f"{outcome.type}: {with_path(outcome.path, outcome.message)}"
