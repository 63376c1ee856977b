"""What is said of a request whose time was too short."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.storage.requests import Attempt, Lease
from nexus_actors.work.job import Assigned, Job, Unrouted, Wait
from nexus_actors.work.overdue import timed_out

PAUSE = "provider p is paused by joe: maintenance"
PAUSED = Wait("paused", PAUSE, subject="provider p")
THRICE = {"prior_attempts": 3, "prior_outcome": "provider_error"}


def late(**fields: Any) -> Job:
    body = LLMRequest(request_id="r", complexity="simple", messages=(), timeout=30.0)
    told: dict[str, Any] = {"place": Unrouted(), "leased_at": 40.0, "deadline": 40.0, **fields}
    return Job(lease=Lease(1, 1), body=body, request_id="r", **told)


def attempt(outcome: str) -> Attempt:
    return Attempt(
        number=1,
        provider="p",
        model="m",
        outcome=outcome,
        status_code=None,
        duration_ms=1,
        cost=None,
        error="SECRET",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        maybe_paid=False,
    )


WAITED_FOR = [
    (late(place=Assigned("p")), " while waiting for a free worker of p"),
    (
        late(waited_for="provider_full", waited_detail="p"),
        " while waiting for a free worker of p",
    ),
    (late(waited_for="paused", waited_detail=PAUSE), " while waiting for the end of a pause"),
    (
        late(waited_for="circuit_open", waited_detail="p/m: cannot connect to 10.0.0.1:1"),
        " while waiting for a circuit to close",
    ),
    (
        late(waited_for="no_key", waited_detail="every key is suspended, for 7 s more"),
        " while waiting for a usable key",
    ),
    (
        late(waited_for="budget", waited_detail="budget day: $1 is spent"),
        " while waiting for a budget (budget day: $1 is spent)",
    ),
    (
        late(place=Assigned("p"), waited_for="paused", waited_detail=PAUSE),
        " while waiting for a free worker of p, and before that for the end of a pause",
    ),
    (
        late(place=Assigned("p"), waited_for="provider_full", waited_detail="p"),
        " while waiting for a free worker of p",
    ),
    (late(wait=Wait("rate_limit", "p/m")), " while waiting for the rate limit of p/m"),
    (
        late(waited_for="of_a_later_release", waited_detail="SECRET"),
        " while waiting for of_a_later_release",
    ),
    (late(), " in the queue, before a service took it"),
    (late(leased_before=7.0), " in the queue, before a service took it again"),
    (late(leased_at=39.0), " before a call was made"),
    (late(leased_at=39.0, leased_before=7.0), " before a call was made"),
    (late(prior_attempts=1), ", after 1 attempt"),
    (late(**THRICE), ", after 3 attempts (the last: provider_error)"),
    (
        late(**THRICE, waited_for="provider_full", waited_detail="p"),
        " while waiting for a free worker of p, after 3 attempts (the last: provider_error)",
    ),
    (
        late(place=Assigned("p"), attempts=[attempt("timeout")]),
        " while waiting for a free worker of p, after 1 attempt (the last: timeout)",
    ),
]


def test_a_timeout_names_what_was_waited_for_and_the_calls_made() -> None:
    wrong = []
    for job, told in WAITED_FOR:
        found = timed_out(job)
        expected = f"timed out after 30 s{told}"
        if found != expected:
            wrong.append((job, told, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("now", [None, PAUSED])
def test_what_was_waited_for_before_the_last_calls_is_no_cause(now: Wait | None) -> None:
    job = late(**THRICE, waited_for="provider_full", waited_detail="p")
    job.attempts.append(attempt("connection_failed"))
    waited = " while waiting for the end of a pause of provider p" if now else ""
    calls = ", after 4 attempts (the last: connection_failed)"
    assert timed_out(job, now) == f"timed out after 30 s{waited}{calls}"


def test_what_holds_it_now_comes_first() -> None:
    job = late(place=Assigned("p"), waited_for="provider_full", waited_detail="p")
    assert timed_out(job, PAUSED) == (
        "timed out after 30 s while waiting for the end of a pause of provider p,"
        " and before that for a free worker of p"
    )
