"""The adaptive limit: halved by a refusal, growing back answer by answer."""

from nexus_actors.work.concurrency import Concurrency


def test_begins_at_the_most_and_never_goes_beyond() -> None:
    limit = Concurrency(8)
    for _ in range(100):
        limit.answered()
    assert limit.limit == 8


def test_a_refusal_halves_it_down_to_one() -> None:
    limit = Concurrency(8)
    seen = []
    for now in range(1, 7):
        limit.refused(float(now), took=0.1)
        seen.append(limit.limit)
    assert seen == [4, 2, 1, 1, 1, 1]


def test_calls_refused_together_count_once() -> None:
    limit = Concurrency(64)
    for _ in range(64):
        limit.refused(10.0, took=1.0)
    assert limit.limit == 32
    limit.refused(10.5, took=1.0)  # began before the decrease
    assert limit.limit == 32
    limit.refused(11.5, took=1.0)
    assert limit.limit == 16


def test_grows_by_about_one_a_round() -> None:
    limit = Concurrency(64)
    limit.refused(10.0, took=0.0)
    for _ in range(33):
        limit.answered()
    assert limit.limit == 33
    for _ in range(33 * 40):
        limit.answered()
    assert limit.limit == 61
