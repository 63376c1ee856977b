"""What calls return."""

from dataclasses import dataclass
from typing import Literal

from nexus_actors.client.errors import error_of
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.storage.job_results import cents

CancelOutcome = Literal["queued", "running", "ended", "unknown"]
"""The state in which `LLMService.cancel` found the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """A call's answer. The first four fields are those of the Elixir client."""

    text: str
    """Empty if the model answered with tool calls only."""
    model: str
    tokens_used: int
    cost_cents: int
    """Whole US cents, as in `job_results`; `answer.cost` has dollars, None if unknown."""
    request_id: str
    latency_ms: int
    answer: Answer
    """The whole answer. Send its `message()` back to continue the conversation."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What `call(…, wait=False)` returns. `result` fetches the answer later."""

    request_id: str
    status: Literal["enqueued"] = "enqueued"


def answer_of(result: LLMResult) -> CallAnswer:
    """The answer in a result. Raises CallError for a failure."""
    match result.outcome:
        case Failure() as failure:
            raise error_of(failure, result.request_id)
        case Answer() as answer:
            return CallAnswer(
                text=answer.response or "",
                model=answer.model,
                tokens_used=answer.usage.total_tokens,
                cost_cents=cents(answer.cost),
                request_id=result.request_id,
                latency_ms=result.latency_ms,
                answer=answer,
            )
