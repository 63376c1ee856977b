"""What is asked before a call is made, besides the provider's own limits. Takes its time, so it is
asked by workers, not by the Router."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.limits.budgets import most_it_may_cost, shares
from nexus_actors.pipeline.job import Job
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.urls import TooLate, resolved_refusal
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings.model import BudgetSettings
from nexus_actors.storage.ports import RequestStore, StorageError


@dataclass(frozen=True, slots=True)
class Checks:
    """Of one pipeline; holds nothing of any job."""

    allowed_hosts: Sequence[str]
    budgets: Mapping[str, BudgetSettings]
    catalog: Catalog
    store: RequestStore

    async def refusal(self, job: Job) -> ProviderFailure | None:
        """Why the call must not be made. None: it may be, and what it may cost is reserved.

        Cancelled, a reservation may stand; the attempt's number holds it until it is recorded.
        """
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
        try:
            left = job.deadline - trio.current_time()
            why = await resolved_refusal(job.body, self.allowed_hosts, left)
        except TooLate:
            return _refused(ErrorType.TIMEOUT, "the hosts of its URLs cannot be looked up in time")
        if why is not None:
            return _refused(ErrorType.REQUEST_REJECTED, why)
        counted = shares(self.budgets, job.body, job.candidate.provider)
        if not counted or job.request_id is None:
            return None
        dollars = most_it_may_cost(job.candidate, job.body, self.catalog)
        number = job.attempt_count + 1
        try:
            poor = await self.store.reserve(job.request_id, number, dollars, counted)
        except StorageError as error:
            return _refused(ErrorType.INTERNAL_ERROR, f"the budget cannot be asked: {error}")
        if poor is None:
            return None
        why = f"budget {poor} has less left than the call may cost (${dollars:.6f})"
        return _refused(ErrorType.QUOTA_EXCEEDED, why)


def _refused(name: ErrorType, why: str) -> ProviderFailure:
    return ProviderFailure(type=name, message=why, retryable=False, scope="request")
