"""Counts of requests and calls by a few labels, for `/metrics`. Plain numbers, so that Prometheus'
library is not on the hot path. A passive object that exists only if `[admin] listen` is set."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings.model import ModelRef
from nexus_actors.storage.requests import Attempt
from nexus_actors.work.histogram import Histogram
from nexus_actors.work.job import Job

NONE: Final = "none"
"""Provider and model of a request that ended before it had one."""
OTHER: Final = "other"
"""A model that neither the config nor the price list knows, or a provider that is no longer
configured."""
LAG_BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
"""Seconds."""
MOST_MODELS: Final = 500
"""The most models with labels of their own, over all providers; further ones are `other`."""
MOST_KEPT: Final = 1024
"""Names whose labels are cached: requests can name any number of models."""


CALL_OUTCOMES: Final = (
    "ok",
    ErrorType.PROVIDER_ERROR,
    ErrorType.TIMEOUT,
    ErrorType.RATE_LIMITED,
    ErrorType.QUOTA_EXCEEDED,
    ErrorType.CONNECTION_FAILED,
    ErrorType.AUTHENTICATION_FAILED,
    ErrorType.INVALID_RESPONSE,
    ErrorType.MODEL_UNAVAILABLE,
)
"""Outcomes of calls, and of requests that had a call. They are exported as 0 for every model of a
route before the first one occurs: a counter that first appears as 1 shows no increase."""
EARLY_OUTCOMES: Final = (
    ErrorType.INVALID_REQUEST,
    ErrorType.MISSING_FIELDS,
    ErrorType.TIMEOUT,
    ErrorType.QUOTA_EXCEEDED,
    ErrorType.MODEL_UNAVAILABLE,
    ErrorType.CANCELLED,
)
"""Likewise for requests that had no model yet."""
BASES: Final = ("told", "list")
UNPRICED: Final = ("partial", "unknown", "maybe_paid")


@dataclass(slots=True)
class ModelTally:
    """One model of one provider."""

    ended: Counter[str] = field(default_factory=Counter)
    """Requests by outcome: `ok`, or the error type."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    dollars: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Cost of calls, by the basis of the figure."""
    unpriced: Counter[str] = field(default_factory=Counter)
    """Calls of unknown cost, by reason."""

    def foresee(
        self, outcomes: Iterable[str], bases: Iterable[str] = (), unpriced: Iterable[str] = ()
    ) -> None:
        """Make these labels exist, at 0 if they are new."""
        self.ended.update(dict.fromkeys(outcomes, 0))
        self.unpriced.update(dict.fromkeys(unpriced, 0))
        for basis in bases:
            self.dollars[basis] += 0.0


@dataclass(slots=True)
class ProviderTally:
    """Calls to one provider."""

    outcomes: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    """Calls that were not their request's first."""
    throttled: int = 0
    seconds: Histogram = field(default_factory=Histogram)
    first_text: Histogram = field(default_factory=Histogram)


class Tallies:
    """All counts since the process started."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._routes = in_force.routes
        self._known: dict[tuple[str, str], ModelTally] = {}
        """Tallies by the names that requests use: a cache of `models`."""
        self.models: dict[tuple[str, str], ModelTally] = {}
        """Tallies by their labels: provider and model."""
        self.providers: defaultdict[str, ProviderTally] = defaultdict(ProviderTally)
        self.request = Histogram()
        """From the first lease to the outcome."""
        self.queue_wait = Histogram()
        """From being sent to the first lease."""
        self.admission = Histogram()
        """From the first lease to the first call."""
        self.publish = Histogram()
        """From the outcome to its being stored."""
        self.loop_lag = Histogram(LAG_BOUNDS)
        """How late the event loop woke sleeping tasks."""
        self._foresee()

    def keep_up(self) -> None:
        """Make everything that the current config names exist, at 0. Call this before reading."""
        if self._in_force.routes is not self._routes:
            self._renew()

    def called(self, provider: str, attempt: Attempt) -> None:
        """A call has ended."""
        tally = self.providers[provider]
        tally.outcomes[attempt.outcome] += 1
        tally.seconds.observe(attempt.duration_ms / 1000)
        if attempt.number > 1:
            tally.retries += 1
        if attempt.outcome == ErrorType.RATE_LIMITED:
            tally.throttled += 1
        if attempt.first_text_ms is not None:
            tally.first_text.observe(attempt.first_text_ms / 1000)
        if attempt.cost is not None:
            self._of(provider, attempt.model).dollars[attempt.cost_basis or "list"] += attempt.cost
        elif attempt.cost_basis is not None:
            self._of(provider, attempt.model).unpriced[attempt.cost_basis] += 1
        elif attempt.maybe_paid:
            self._of(provider, attempt.model).unpriced["maybe_paid"] += 1

    def ended(self, job: Job, now: float) -> None:
        """A request has ended, and its end was stored at `now` (`trio.current_time()`)."""
        outcome = job.outcome
        assert outcome is not None  # noqa: S101 - it has ended
        leased = job.leased_at - job.leased_before
        seconds = job.latency_ms / 1000
        self.request.observe(seconds)
        self.publish.observe(now - leased - seconds)
        if job.sent_at > -inf:  # otherwise it is unknown
            self.queue_wait.observe(leased - job.sent_at)
        if job.tried_at is not None:
            self.admission.observe(job.tried_at - leased)
        if outcome.provider is None:
            tally = self._of(NONE, NONE)
        elif job.candidates:
            tally = self._of(*job.candidate)
        else:  # an earlier process made the calls
            tally = self._of(outcome.provider, outcome.model if isinstance(outcome, Answer) else "")
        if isinstance(outcome, Answer):
            usage = outcome.usage
            tally.ended["ok"] += 1
            tally.input_tokens += usage.prompt_tokens
            tally.output_tokens += usage.completion_tokens
            tally.cached_tokens += usage.cached_tokens
            tally.reasoning_tokens += usage.reasoning_tokens
        else:
            tally.ended[outcome.type] += 1

    def _of(self, provider: str, model: str) -> ModelTally:
        if self._in_force.routes is not self._routes:
            self._renew()
        tally = self._known.get((provider, model))
        if tally is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            tally = self._known[provider, model] = self._labelled(provider, model)
        return tally

    def _renew(self) -> None:
        """The routes have changed, and with them perhaps the known models."""
        self._routes = self._in_force.routes
        self._known.clear()
        self._foresee()

    def _foresee(self) -> None:
        settings = self._in_force.settings
        self._of(NONE, NONE).foresee(EARLY_OUTCOMES)
        for name in settings.providers:
            self.providers[name].outcomes.update(dict.fromkeys(CALL_OUTCOMES, 0))
        for ref in (it for route in settings.routes for it in route.models):
            if ref.provider in settings.providers and ref.model != "*":
                self._of(*ref).foresee(CALL_OUTCOMES, BASES, UNPRICED)

    def _labelled(self, provider: str, model: str) -> ModelTally:
        labels = provider, model
        if provider != NONE:
            labels = self._labels(ModelRef(provider, model))
        tally = self.models.get(labels)
        if tally is None:
            if len(self.models) >= MOST_MODELS:
                labels = labels[0], OTHER
            tally = self.models.setdefault(labels, ModelTally())
        return tally

    def _labels(self, ref: ModelRef) -> tuple[str, str]:
        if ref.provider not in self._in_force.settings.providers:
            return OTHER, OTHER
        return ref.provider, self._routes.catalog.known_name(ref) or OTHER
