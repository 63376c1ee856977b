"""The two seconds of the contract: how many kept to them, ever and in the last hour."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.work.objective import MINUTES, OBJECTIVE_MS, Objective, Share

HOUR = MINUTES * 60


def test_two_seconds_keep_to_it_and_a_millisecond_more_does_not() -> None:
    objective = Objective()
    assert objective.count(OBJECTIVE_MS, 0.0)
    assert not objective.count(OBJECTIVE_MS + 1, 0.0)
    assert (objective.within, objective.beyond) == (1, 1)
    assert objective.last_hour(0.0) == Share(2, 1)
    assert objective.last_hour(0.0).ratio == 0.5


def test_without_requests_there_is_no_share() -> None:
    assert Objective().last_hour(12345.0).ratio is None


def test_a_status_has_the_share_of_the_last_hour() -> None:
    objective = Objective()
    none = {"requests": 0, "within": 0, "share": None}
    assert objective.as_dict(0.0) == {"seconds": 2.0, "last_hour": none}
    for latency_ms in (1, 2, 9000):
        objective.count(latency_ms, 0.0)
    last = {"requests": 3, "within": 2, "share": 0.6667}
    assert objective.as_dict(0.0) == {"seconds": 2.0, "last_hour": last}


def test_what_is_older_than_an_hour_does_not_count() -> None:
    objective = Objective()
    objective.count(1, 1000.0)
    objective.count(9000, 1000.0 + HOUR / 2)
    assert objective.last_hour(1000.0 + HOUR - 60) == Share(2, 1)
    assert objective.last_hour(1000.0 + HOUR) == Share(1, 0)
    assert objective.last_hour(1000.0 + 10 * HOUR) == Share(0, 0)
    assert (objective.within, objective.beyond) == (1, 1)


@given(st.lists(st.tuples(st.floats(0, 3 * HOUR), st.booleans()), max_size=200), st.floats(0, 1e9))
def test_the_ring_counts_what_a_list_would(steps: list[tuple[float, bool]], start: float) -> None:
    objective, now = Objective(), start
    seen: deque[tuple[int, bool]] = deque()
    for pause, keeps in steps:
        now += pause
        objective.count(1 if keeps else 9000, now)
        seen.append((int(now // 60), keeps))
        recent = [kept for minute, kept in seen if minute > int(now // 60) - MINUTES]
        assert objective.last_hour(now) == Share(len(recent), sum(recent))
