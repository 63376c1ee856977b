"""Checks before a call other than the provider's own limits: hosts of URLs, and budgets. They may
take time, so the workers make them, not the Router."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import trio

from nexus_actors.admission.budget_bounds import (
    counted,
    counted_as,
    most_cost,
    refused_as_unknown,
    shares,
)
from nexus_actors.admission.budget_turns import BudgetTurns
from nexus_actors.admission.output_limit import limit_output
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.providers.urls import TooLate, resolved_refusal
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings.model import BudgetSettings
from nexus_actors.storage.accounts import AccountStore
from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.work.job import Job, LimitedRequest

LEAST_PAUSE = 0.25
"""The least seconds until a request asks again for a budget that running calls have reserved. The
pause is about an eighth of the request's age."""
LONGEST_PAUSE = 15.0


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one pipeline."""

    in_force: InForce
    store: AccountStore
    turns: BudgetTurns = field(default_factory=BudgetTurns)

    def limited(self, job: Job, settings: ProviderSettings) -> LimitedRequest | ProviderFailure:
        """What is sent of a job to its candidate, or why it can never be sent."""
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests are never routed
        budgets = counted(self.in_force.settings.budgets, job.body, job.candidate.provider)
        return limit_output(job.body, job.candidate, settings, _catalog(job), budgets)

    async def refusal(self, job: Job) -> ProviderFailure | None:
        """Why the call must not be made, or not yet (`retry_after`). None if it may be made: then
        the most that it may cost is reserved.

        If this is cancelled, a reservation may remain. It belongs to the attempt's number, and is
        settled when an attempt with that number is recorded.
        """
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests are never routed
        hosts = self.in_force.settings.security.allowed_hosts
        try:
            left = job.deadline - trio.current_time()
            why = await resolved_refusal(job.body, hosts, left)
        except TooLate:
            return _refused(ErrorType.TIMEOUT, "the hosts of its URLs cannot be looked up in time")
        if why is not None:
            return _refused(ErrorType.REQUEST_REJECTED, why)
        budgets = counted(self.in_force.settings.budgets, job.body, job.candidate.provider)
        if not budgets or job.request_id is None:
            return None
        request = job.body if job.limited is None else job.limited.request
        dollars = most_cost(job.candidate, request, _catalog(job))
        if (why := refused_as_unknown(budgets, dollars)) is not None:
            return _refused(ErrorType.QUOTA_EXCEEDED, why)
        if isinstance(dollars, str):
            budgets = {name: it for name, it in budgets.items() if it.unknown_price == "count_as"}
            dollars = counted_as(job.candidate, request, _catalog(job), budgets)
        return await self._reserve(job, dollars, budgets)

    async def _reserve(
        self, job: Job, dollars: float, budgets: Mapping[str, BudgetSettings]
    ) -> ProviderFailure | None:
        if not budgets or job.request_id is None:
            return None
        now = trio.current_time()
        of = shares(budgets)
        left = [
            replace(it, dollars=it.dollars - self.turns.room(it.name, job.request_id, now))
            for it in of
        ]
        try:
            poor = await self.store.reserve(job.request_id, job.attempt_count + 1, dollars, left)
            waits = poor is not None and budgets[poor].when_reserved == "wait"
            comes_back = waits and await self.store.may_come_back(dollars, of)
        except StorageError as error:
            message = f"the budget cannot be asked: {error}"
            away = _refused(ErrorType.INTERNAL_ERROR, message)
            # A database that is away for a moment fails no request.
            is_passing = isinstance(error, StorageUnavailable)
            return replace(away, retry_after=_pause(job)) if is_passing else away
        age, longest = _age(job), self.in_force.settings.queue.throttled_seconds
        if poor is None or not comes_back or age > longest:
            self.turns.leave(budgets, job.request_id)
        if poor is None:
            return None
        why = f"budget {poor} has less left than the call may cost (${dollars:.6f})"
        refused = _refused(ErrorType.QUOTA_EXCEEDED, why)
        if not comes_back:
            return refused
        if age > longest:
            return replace(refused, message=f"{why}: others had it reserved for {age:.0f} s")
        # Running calls have reserved it, and most will give much of it back.
        self.turns.wait(poor, job.request_id, now - age, dollars, now)
        return replace(refused, retry_after=_pause(job))


def _catalog(job: Job) -> Catalog:
    """The catalog of the routes that chose the candidates: a reload may have removed a provider."""
    assert job.routes is not None  # noqa: S101 - the Router sets them with the candidates
    return job.routes.catalog


def _age(job: Job) -> float:
    return trio.current_time() - job.sent_at if math.isfinite(job.sent_at) else 0.0


def _pause(job: Job) -> float:
    pause = min(max(_age(job) / 8, LEAST_PAUSE), LONGEST_PAUSE)
    return pause * random.uniform(0.5, 1.5)  # noqa: S311 - jitter


def _refused(name: ErrorType, why: str) -> ProviderFailure:
    return ProviderFailure(type=name, message=why, retryable=False, scope="request")
