"""Which candidate a job stands at, lease after lease."""

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate
from nexus_actors.storage.requests import Lease
from nexus_actors.work.job import Job

A, B, C = Candidate("p", "a"), Candidate("p", "b"), Candidate("q", "c")


def job(*used: str) -> Job:
    body = LLMRequest(request_id="r", complexity="simple", messages=())
    return Job(lease=Lease(1, 1), body=body, request_id="r", used_before=used, leased_at=0.0)


@pytest.mark.parametrize(
    ("used", "now", "expected"),
    [
        ((), (A, B, C), A),
        (("p/a",), (A, B, C), B),
        (("p/a",), (B, C, A), B),  # the cheapest first, and prices have changed
        (("p/b",), (A, B, C), A),
        (("p/gone",), (A, B, C), A),  # the config has changed
        (("p/a", "p/b", "q/c"), (B, A, C), C),  # all are used up: the last is left
        (("p/a",), (A,), A),
    ],
)
def test_a_candidate_that_was_used_up_is_not_tried_again(
    used: tuple[str, ...], now: tuple[Candidate, ...], expected: Candidate
) -> None:
    one = job(*used)
    one.set_candidates(now)
    assert one.candidate == expected
    assert sorted(one.candidates) == sorted(now)


def test_what_is_used_up_is_told_to_the_next_lease() -> None:
    one = job("p/a")
    assert one.used_candidates == ("p/a",)  # before it is routed
    one.set_candidates((C, B, A))
    one.candidate_index += 1
    assert one.used_candidates == ("p/a", "q/c")


def test_what_was_passed_over_for_want_of_a_key_is_not_used_up() -> None:
    one = job()
    one.set_candidates((A, B, C))
    one.passed_over = {A}
    one.candidate_index = 2  # A had no key, B failed
    assert one.used_candidates == (str(B),)
    one.regain_passed_over()
    assert one.left == (A, C)
    assert one.used_candidates == (str(B),)


@pytest.mark.parametrize(
    ("before", "throttled"),
    [(None, False), ("rate_limited", True), ("authentication_failed", False)],
)
async def test_one_that_was_told_last_to_come_later_is_throttled(
    before: str | None, *, throttled: bool
) -> None:
    one = job()
    one.prior_outcome = before
    assert one.is_throttled is throttled


def test_what_came_before_it_was_sent_again_under_its_id_is_not_counted_as_too_early() -> None:
    """A pause grows with each time that a provider said to come later."""
    it = job()
    it.prior_attempts = it.prior_uncounted = it.prior_earlier = 7
    assert it.early_count == 0
    assert not it.has_used(1)
    it.prior_attempts, it.prior_uncounted = 9, 8
    assert it.early_count == 1
    assert it.has_used(1)
