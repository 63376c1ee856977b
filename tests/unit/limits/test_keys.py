"""Which key the next call takes."""

from nexus_actors.limits.keys import KeyRing


def test_the_one_with_the_fewest_calls_under_way() -> None:
    ring = KeyRing(["a", "b"])
    assert [ring.take(0.0) for _ in range(4)] == [0, 1, 0, 1]
    ring.put_back(1)
    assert ring.take(0.0) == 1


def test_not_one_that_is_held() -> None:
    ring = KeyRing(["a", "b"])
    assert ring.hold(0, 10.0, "rate_limited")
    assert [ring.take(5.0), ring.take(5.0)] == [1, 1]
    assert ring.wait(5.0) == 0.0
    ring.hold(1, 30.0, "quota_exceeded")
    assert ring.take(5.0) is None
    assert ring.wait(5.0) == 5.0
    assert ring.describe(5.0) == {"a": "rate_limited, for 5 s", "b": "quota_exceeded, for 25 s"}
    assert ring.take(10.0) == 0
    assert ring.describe(30.0) == {}


def test_a_hold_is_told_once_and_never_shortened() -> None:
    ring = KeyRing(["a"])
    assert ring.hold(0, 10.0, "x")
    assert not ring.hold(0, 10.0, "x")
    ring.hold(0, 5.0, "x")
    assert ring.wait(0.0) == 10.0
