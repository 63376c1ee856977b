"""Which key the next call takes."""

from nexus_actors.limits.keys import MOST_HELD, KeyRing


def test_the_one_with_the_fewest_calls_under_way() -> None:
    ring = KeyRing(["a", "b"])
    assert [ring.take("m", 0.0) for _ in range(4)] == [0, 1, 0, 1]
    ring.put_back(1)
    assert ring.take("m", 0.0) == 1


def test_not_one_that_is_held() -> None:
    ring = KeyRing(["a", "b"])
    assert ring.hold(0, 10.0, "rate_limited")
    assert [ring.take("m", 5.0), ring.take("m", 5.0)] == [1, 1]
    assert ring.wait("m", 5.0) == 0.0
    ring.hold(1, 30.0, "quota_exceeded")
    assert ring.take("m", 5.0) is None
    assert ring.wait("m", 5.0) == 5.0
    assert ring.describe(5.0) == {"a": "rate_limited, for 5 s", "b": "quota_exceeded, for 25 s"}
    assert ring.take("m", 10.0) == 0
    assert ring.describe(30.0) == {}


def test_the_preferred_one_while_it_may_be_used() -> None:
    ring = KeyRing(["a", "b"])
    assert [ring.take("m", 0.0, "b") for _ in range(3)] == [1, 1, 1]
    assert ring.take("m", 0.0, "of another provider") == 0
    ring.hold(1, 10.0, "rate_limited")
    assert ring.take("m", 5.0, "b") == 0


def test_a_hold_is_told_once_and_never_shortened() -> None:
    ring = KeyRing(["a"])
    assert ring.hold(0, 10.0, "x")
    assert not ring.hold(0, 10.0, "x")
    ring.hold(0, 5.0, "x")
    assert ring.wait("m", 0.0) == 10.0


def test_what_is_said_of_one_model_is_not_said_of_others() -> None:
    ring = KeyRing(["a"])
    ring.hold(0, 10.0, "rate_limited", "m")
    assert ring.take("m", 5.0) is None
    assert ring.take("other", 5.0) == 0
    assert ring.wait("other", 5.0) == 0.0
    assert ring.describe(5.0) == {"a": "rate_limited (m), for 5 s"}
    ring.hold(0, 20.0, "authentication_failed")
    assert ring.take("other", 5.0) is None
    assert ring.wait("m", 5.0) == 15.0


def test_any_number_of_models_takes_no_more_than_so_much_room() -> None:
    ring = KeyRing(["a"])
    for number in range(3 * MOST_HELD):
        ring.hold(0, 10.0 + number, "rate_limited", str(number))
    assert ring.describe(0.0)["a"].count(";") == MOST_HELD - 1
    assert ring.take(str(3 * MOST_HELD - 1), 0.0) is None
