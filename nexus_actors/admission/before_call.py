"""The checks before a call that are not the provider's own limits. They may take time, so the
workers make them, not the Router."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import trio

from nexus_actors.admission.allowed import allowed
from nexus_actors.admission.budget_bounds import (
    counted,
    counted_as,
    most_cost,
    refused_as_unknown,
    shares,
)
from nexus_actors.admission.budget_turns import BudgetTurns
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.providers.urls import TooLate, resolved_refusal
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings.model import BudgetSettings
from nexus_actors.storage.accounts import AccountStore
from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.work.job import Allowed, Job

LEAST_PAUSE = 0.25
"""Seconds after which a budget is asked again that calls under way have reserved, about: an eighth
of the time that the request is old."""
LONGEST_PAUSE = 15.0


@dataclass(frozen=True, slots=True)
class Checks:
    """Of one pipeline."""

    in_force: InForce
    store: AccountStore
    turns: BudgetTurns = field(default_factory=BudgetTurns)

    def allowed(self, job: Job, settings: ProviderSettings) -> Allowed | ProviderFailure:
        """What is sent of a job to its candidate; or why it can never be called."""
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
        budgets = counted(self.in_force.settings.budgets, job.body, job.candidate.provider)
        return allowed(job.body, job.candidate, settings, _catalog(job), budgets)

    async def refusal(self, job: Job) -> ProviderFailure | None:
        """Why the call must not be made, or not now (`retry_after`). None: it may be, and what it
        may cost is reserved.

        Cancelled, a reservation may stand; the attempt's number holds it until it is recorded.
        """
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
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
        request = job.body if job.allowed is None else job.allowed.request
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
            told = f"the budget cannot be asked: {error}"
            away = _refused(ErrorType.INTERNAL_ERROR, told)
            # A database that is away for a moment costs no request.
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
        # Calls under way have reserved it, and most give much of it back.
        self.turns.wait(poor, job.request_id, now - age, dollars, now)
        return replace(refused, retry_after=_pause(job))


def _catalog(job: Job) -> Catalog:
    """That of the routes which named its candidates: a reload may have left one out since."""
    assert job.routes is not None  # noqa: S101 - the Router sets them with the candidates
    return job.routes.catalog


def _age(job: Job) -> float:
    return trio.current_time() - job.sent_at if math.isfinite(job.sent_at) else 0.0


def _pause(job: Job) -> float:
    pause = min(max(_age(job) / 8, LEAST_PAUSE), LONGEST_PAUSE)
    return pause * random.uniform(0.5, 1.5)  # noqa: S311 - so that not all come back at once


def _refused(name: ErrorType, why: str) -> ProviderFailure:
    return ProviderFailure(type=name, message=why, retryable=False, scope="request")
