"""Totals of this process's work, as plain numbers."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import structlog
import trio

from nexus_actors.contract.result import Answer
from nexus_actors.storage.requests import Attempt
from nexus_actors.work.job import Job
from nexus_actors.work.objective import OBJECTIVE_MS, Objective
from nexus_actors.work.tallies import Tallies
from supervisors import telemetry

log = structlog.get_logger("nexus.metrics")


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
    """Totals since the process started. A passive object, like the in-work table."""

    succeeded: int = 0
    failed: int = 0
    objective: Objective = field(default_factory=Objective)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """US dollars that answers with a known price have cost."""
    cost_unknown: int = 0
    """Answers whose price is unknown. They are not in `cost`."""
    by_provider: Counter[str] = field(default_factory=Counter)
    """Ended requests by the provider of their outcome. It may not have been called at all, if its
    keys or its circuit prevented that."""
    sent_to: Counter[str] = field(default_factory=Counter)
    """Ended requests by each provider that was called under their last lease."""
    errors: Counter[str] = field(default_factory=Counter)
    """Failed requests by error type."""

    restarts: Counter[str] = field(default_factory=Counter)
    """Restarts of each actor, by its id."""
    calls: dict[str, ProviderCalls] = field(default_factory=lambda: defaultdict(ProviderCalls))
    """By provider."""
    last_error: str | None = None
    """The error type, and the provider, of the last call or request that failed."""
    leases_lost: int = 0
    """Leases of requests in work that were lost."""
    blocked: Counter[str] = field(default_factory=Counter)
    """How often the event loop was blocked, by cause."""
    blocked_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tallies: Tallies | None = None
    """Counts by label, for `/metrics`; None unless `[admin] listen` is set."""

    def heard(self, event: telemetry.Event) -> None:
        """Count an event of the runtime: a restart, or a blocked event loop."""
        match event:
            case telemetry.ChildRestarted():
                self.restarts[event.child] += 1
            case telemetry.LoopBlocked():
                self.blocked[event.cause] += 1
                self.blocked_seconds[event.cause] += event.seconds

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
        if self.tallies is not None:
            self.tallies.called(provider, attempt)

    def track(self, job: Job) -> None:
        """Count one ended request once its end is stored, and log its outcome, but none of its
        content."""
        outcome, now = job.outcome, trio.current_time()
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
        if self.tallies is not None and outcome is not None:
            self.tallies.ended(job, now)
        if not self.objective.count(job.latency_ms, now):
            log.debug("objective breached", objective_ms=OBJECTIVE_MS, **entry)

    def as_dict(self) -> dict[str, object]:
        """For `nexus status`."""
        return {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "objective_breaches": self.objective.beyond,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": round(self.cost, 6),
            "cost_unknown": self.cost_unknown,
            "by_provider": dict(self.by_provider),
            "sent_to": dict(self.sent_to),
            "errors": dict(self.errors),
            "restarts": dict(self.restarts),
        }
