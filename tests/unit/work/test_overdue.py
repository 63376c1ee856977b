"""What is said of a request whose timeout has passed."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.storage.requests import Lease
from nexus_actors.work.job import Assigned, Job, Unrouted, Wait
from nexus_actors.work.timed_out import timed_out

PAUSE = "provider p is paused by joe: maintenance"


def late(**fields: Any) -> Job:
    body = LLMRequest(request_id="r", complexity="simple", messages=(), timeout=30.0)
    told: dict[str, Any] = {"place": Unrouted(), "leased_at": 40.0, "deadline": 40.0, **fields}
    return Job(lease=Lease(1, 1), body=body, request_id="r", **told)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (late(place=Assigned("p")), "while waiting for a free worker of p"),
        (
            late(waited_for="paused", waited_detail=PAUSE),
            f"while waiting for the end of a pause ({PAUSE})",
        ),
        (
            late(waited_for="circuit_open", waited_detail="p/m: connection_failed"),
            "while waiting for a circuit to close (p/m: connection_failed)",
        ),
        (
            late(waited_for="budget", waited_detail="budget day: $1 is spent"),
            "while waiting for a budget (budget day: $1 is spent)",
        ),
        (
            late(place=Assigned("p"), waited_for="paused", waited_detail=PAUSE),
            "while waiting for a free worker of p,"
            f" and before that for the end of a pause ({PAUSE})",
        ),
        (
            late(place=Assigned("p"), waited_for="provider_full", waited_detail="p"),
            "while waiting for a free worker of p",
        ),
        (late(wait=Wait("rate_limit", "p/m")), "while waiting for the rate limit of p/m"),
        (late(waited_for="of_a_later_release"), "while waiting for of_a_later_release"),
        (late(), "in the queue, before a service took it"),
        (late(leased_at=39.0), "before a call was made"),
        (late(prior_attempts=1), "and 1 attempt"),
        (late(prior_attempts=2), "and 2 attempts"),
    ],
)
def test_a_timeout_names_what_was_waited_for(job: Job, told: str) -> None:
    assert timed_out(job) == f"timed out after 30 s {told}"


def test_what_holds_it_now_comes_first() -> None:
    job = late(place=Assigned("p"), waited_for="provider_full", waited_detail="p")
    assert timed_out(job, Wait("paused", PAUSE)) == (
        f"timed out after 30 s while waiting for the end of a pause ({PAUSE}),"
        " and before that for a free worker of p"
    )
