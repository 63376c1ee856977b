"""What went through this process, as plain numbers. The workflow's last step."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import structlog

from nexus_actors.contract.result import Answer
from nexus_actors.storage.requests import Attempt
from nexus_actors.work.job import Job
from supervisors import telemetry

log = structlog.get_logger("nexus.metrics")

OBJECTIVE_MS = 2000
"""The service objective for one request, in milliseconds. Breaches are counted."""


@dataclass(slots=True)
class ProviderCalls:
    """Calls to one provider, retries included."""

    succeeded: int = 0
    failed: int = 0
    milliseconds: int = 0
    """What all of them took together."""
    last_error: str | None = None


@dataclass(slots=True)
class Metrics:
    """Totals since the process started. A passive object, as the in-work table."""

    succeeded: int = 0
    failed: int = 0
    objective_breaches: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """US dollars, of answers whose price is known."""
    cost_unknown: int = 0
    """Answers whose price is not known, and not in `cost`."""
    by_provider: Counter[str] = field(default_factory=Counter)
    """Requests ended, by the provider that ended them: it may not have been called at all, where
    its key or its circuit was in the way."""
    sent_to: Counter[str] = field(default_factory=Counter)
    """Requests ended, by each provider that was called for them under their last lease."""
    errors: Counter[str] = field(default_factory=Counter)
    """Failed requests, by the error's name."""

    restarts: Counter[str] = field(default_factory=Counter)
    """How often each actor of the tree was restarted, by its id."""
    calls: dict[str, ProviderCalls] = field(default_factory=lambda: defaultdict(ProviderCalls))
    """Of each provider."""
    last_error: str | None = None
    """The last call or request that failed: its error's name, and the provider."""

    def restarted(self, event: telemetry.ChildRestarted) -> None:
        """Count one restart."""
        self.restarts[event.child] += 1

    def called(self, provider: str, attempt: Attempt) -> None:
        """Count one call."""
        calls = self.calls[provider]
        calls.milliseconds += attempt.duration_ms
        if attempt.outcome == "ok":
            calls.succeeded += 1
        else:
            calls.failed += 1
            calls.last_error = attempt.outcome
            self.last_error = f"{attempt.outcome} ({provider})"

    def track(self, job: Job) -> None:
        """Count one ended request and log its outcome, without a word of its content."""
        outcome = job.outcome
        self.sent_to.update({attempt.provider for attempt in job.attempts})
        entry = {
            **job.ids,
            "latency_ms": job.latency_ms,
            "attempts": job.attempt_count,
        }
        if isinstance(outcome, Answer):
            self.succeeded += 1
            self.prompt_tokens += outcome.usage.prompt_tokens
            self.completion_tokens += outcome.usage.completion_tokens
            self.cost += outcome.cost or 0.0
            self.cost_unknown += outcome.cost is None
            self.by_provider[outcome.provider] += 1
            log.debug("request answered", provider=outcome.provider, model=outcome.model, **entry)
        elif outcome is not None:
            self.failed += 1
            self.errors[outcome.type] += 1
            self.last_error = outcome.type
            if outcome.provider is not None:
                self.by_provider[outcome.provider] += 1
                self.last_error += f" ({outcome.provider})"
            log.warning(
                "request failed",
                error=outcome.type,
                message=outcome.message,
                provider=outcome.provider,
                msg_id=job.lease.msg_id,
                **entry,
            )
        if job.latency_ms > OBJECTIVE_MS:
            self.objective_breaches += 1
            log.debug("objective breached", objective_ms=OBJECTIVE_MS, **entry)

    def as_dict(self) -> dict[str, object]:
        """For `nexus status`."""
        return {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "objective_breaches": self.objective_breaches,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": round(self.cost, 6),
            "cost_unknown": self.cost_unknown,
            "by_provider": dict(self.by_provider),
            "sent_to": dict(self.sent_to),
            "errors": dict(self.errors),
            "restarts": dict(self.restarts),
        }
