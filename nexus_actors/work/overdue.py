"""What the result of a request says whose time was too short.

Every producer reads every result. So a result names what the request waited for, but neither who
paused it and why, nor another request's error.
"""

from collections.abc import Mapping
from math import inf
from typing import Final

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.work.job import Assigned, Job, Wait

_WAITED: Final[Mapping[str, tuple[str, str]]] = {
    "provider_full": ("a free worker", " of {}"),
    "throttled": ("a provider that throttles", " ({})"),
    "circuit_open": ("a circuit to close", " ({})"),
    "no_key": ("a usable key", " of {}"),
    "budget": ("a budget", " ({})"),
    "rate_limit": ("the rate limit", " of {}"),
    "paused": ("the end of a pause", " of {}"),
    "not_before": ("a retry", " ({})"),
}
"""`Wait.reason` → what it waited for, and how it is named; {} is the name."""
_OF_REQUEST: Final = frozenset({"provider_full", "throttled", "budget", "rate_limit", "not_before"})
"""Reasons whose detail tells of this request alone. The others' may name an operator, or quote
another request's error."""


def timed_out(job: Job, held: Wait | None = None) -> str:
    """`timed out after 30 s while waiting for …, after 2 attempts (the last: …)`.

    `held`: why no call may begin for the job now. What the job waited for in the store before its
    last lease is named, too, unless calls were made since.
    """
    seconds = job.body.timeout if isinstance(job.body, LLMRequest) else None
    reason = "timed out" if seconds is None else f"timed out after {seconds:g} s"
    waits = _waits(job, held)
    if waits:
        reason = f"{reason} while waiting for {', and before that for '.join(waits)}"
    if count := job.attempt_count:
        last = f" (the last: {job.last_outcome})" if job.last_outcome else ""
        return f"{reason}, after {count} attempt{'' if count == 1 else 's'}{last}"
    if waits:
        return reason
    if not job.is_late:
        return f"{reason} before a call was made"
    again = " again" if job.leased_before > 0 else ""
    return f"{reason} in the queue, before a service took it{again}"


def waits_too_long(job: Job, wait: Wait) -> str:
    """What is said of a request that could not be called before its time is over."""
    seconds = wait.until - trio.current_time()
    limit = "max_throttled_hours" if job.deadline == inf else "its timeout"
    what = _named(wait.reason, wait.detail, wait.subject)
    return f"it would wait another {seconds:.0f} s for {what}, longer than {limit} allows"


def _waits(job: Job, held: Wait | None) -> list[str]:
    """What it waits for now, then what it waited for in the store, if that is something else."""
    waits = []
    now = held or job.wait
    if now is None and isinstance(job.place, Assigned):
        now = Wait("provider_full", job.place.provider)
    if now is not None:
        waits.append(_named(now.reason, now.detail, now.subject))
    stored = None if job.attempts else job.waited_for
    if stored is not None and (now is None or now.reason != stored):
        waits.append(_named(stored, job.waited_detail))
    return waits


def _named(reason: str, detail: str | None, subject: str = "") -> str:
    words, naming = _WAITED.get(reason, (reason, ""))
    name = subject or (detail if reason in _OF_REQUEST else None)
    return f"{words}{naming.format(name)}" if name else words
