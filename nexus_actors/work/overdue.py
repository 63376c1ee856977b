"""The message of a timeout: what the request was waiting for."""

from collections.abc import Mapping
from typing import Final

from nexus_actors.contract.request import LLMRequest
from nexus_actors.work.job import Assigned, Job, Wait

_WAITED: Final[Mapping[str, str]] = {
    "provider_full": "a free worker of {}",
    "throttled": "a provider that throttles ({})",
    "circuit_open": "a circuit to close ({})",
    "no_key": "a usable key ({})",
    "budget": "a budget ({})",
    "rate_limit": "the rate limit of {}",
    "paused": "the end of a pause ({})",
    "not_before": "a retry ({})",
}
"""`Wait.reason` → what it waited for; {} is the detail."""


def timed_out(job: Job, held: Wait | None = None) -> str:
    """`timed out after 30 s while waiting for …`. `held`: why no call may begin for the job now.
    The message also says what it waited for in the store before its last lease."""
    seconds = job.body.timeout if isinstance(job.body, LLMRequest) else None
    told = "timed out" if seconds is None else f"timed out after {seconds:g} s"
    stored = "" if job.waited_for is None else _waited(job.waited_for, job.waited_detail)
    now = ""
    if (wait := held or job.wait) is not None:
        now = _waited(wait.reason, wait.detail)
    elif isinstance(job.place, Assigned):
        now = _waited("provider_full", job.place.provider)
    if now:
        before = f", and before that for {stored}" if stored and stored != now else ""
        return f"{told} while waiting for {now}{before}"
    if stored:
        return f"{told} while waiting for {stored}"
    if job.attempt_count:
        return f"{told} and {job.attempt_count} attempt{'s' if job.attempt_count > 1 else ''}"
    late = job.deadline <= job.leased_at
    return (
        f"{told} in the queue, before a service took it"
        if late
        else f"{told} before a call was made"
    )


def _waited(reason: str, detail: str | None) -> str:
    if detail and reason in _WAITED:
        return _WAITED[reason].format(detail)
    return f"{reason}: {detail}" if detail else reason
