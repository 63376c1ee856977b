"""Which key the next call takes."""

from nexus_actors.admission.key_ring import MOST_BLOCKED, KeyRing


def test_the_one_with_the_fewest_calls_under_way() -> None:
    ring = KeyRing(["a", "b"])
    assert [ring.take("m", 0.0) for _ in range(4)] == [0, 1, 0, 1]
    ring.put_back(1)
    assert ring.take("m", 0.0) == 1


def test_not_one_that_is_held() -> None:
    ring = KeyRing(["a", "b"])
    ring.block(0, 10.0, "rate_limited")
    assert [ring.take("m", 5.0), ring.take("m", 5.0)] == [1, 1]
    assert ring.wait("m", 5.0) == 0.0
    ring.block(1, 30.0, "quota_exceeded")
    assert ring.take("m", 5.0) is None
    assert ring.wait("m", 5.0) == 5.0
    assert ring.describe(5.0) == {"a": "rate_limited, for 5 s", "b": "quota_exceeded, for 25 s"}
    assert ring.take("m", 10.0) == 0
    assert ring.describe(30.0) == {}


def test_the_preferred_one_while_it_may_be_used() -> None:
    ring = KeyRing(["a", "b"])
    assert [ring.take("m", 0.0, "b") for _ in range(3)] == [1, 1, 1]
    assert ring.take("m", 0.0, "of another provider") == 0
    ring.block(1, 10.0, "rate_limited")
    assert ring.take("m", 5.0, "b") == 0


def test_a_hold_is_never_shortened() -> None:
    ring = KeyRing(["a"])
    ring.block(0, 10.0, "x")
    ring.block(0, 5.0, "x")
    assert ring.wait("m", 0.0) == 10.0


def test_one_that_is_suspended_is_reported_once_until_it_works_again() -> None:
    ring = KeyRing(["a", "b"])
    assert ring.suspend(0, 0.0, 10.0, "x", sure=True)
    assert ring.all_refused_until(0.0) is None
    assert ring.suspend(1, 0.0, 20.0, "x", sure=True)
    assert ring.all_refused_until(1.0) == 10.0
    assert ring.all_refused_until(10.0) is None
    assert not ring.suspend(0, 11.0, 10.0, "x", sure=True)
    assert not ring.works(0, began=10.5)  # that call began before it was refused again
    assert ring.take("m", 12.0) is None
    assert ring.works(0, began=21.0)
    assert not ring.works(0, began=21.0)
    assert ring.suspend(0, 22.0, 10.0, "x", sure=True)


def test_what_was_only_suspected_any_answer_disproves() -> None:
    ring = KeyRing(["a"])
    ring.suspend(0, 5.0, 10.0, "x", sure=False)
    assert ring.works(0, began=1.0)
    assert ring.take("m", 6.0) == 0


def test_a_suspicion_is_shown_by_another_request_with_no_answer_between() -> None:
    ring = KeyRing(["a", "b"])
    assert not ring.suspect(0, "one")
    assert not ring.suspect(0, "one")
    assert not ring.suspect(1, "two")
    ring.works(0, began=0.0)
    assert not ring.suspect(0, "two")
    assert ring.suspect(0, "one")


def test_a_429_without_a_delay_is_shown_to_be_others_too_by_another_request() -> None:
    ring = KeyRing(["a"])
    assert [ring.throttled(0, "m", who) for who in ("one", "one", "two", "one")] == [0, 0, 1, 2]
    assert ring.throttled(0, "other", "two") == 0
    ring.answered(0, "m")
    assert ring.throttled(0, "m", "two") == 0
    for number in range(3 * MOST_BLOCKED):
        assert ring.throttled(0, str(number), "one") == 0


def test_none_that_this_request_has_tried() -> None:
    ring = KeyRing(["a", "b"])
    assert ring.take("m", 0.0, "a", without={0}) == 1
    assert ring.has_another("m", 0.0, {0})
    assert not ring.has_another("m", 0.0, {0, 1})
    assert ring.take("m", 0.0, without={0, 1}) is None


def test_what_is_said_of_one_model_is_not_said_of_others() -> None:
    ring = KeyRing(["a"])
    ring.block(0, 10.0, "rate_limited", "m")
    assert ring.take("m", 5.0) is None
    assert ring.take("other", 5.0) == 0
    assert ring.wait("other", 5.0) == 0.0
    assert ring.describe(5.0) == {"a": "rate_limited (m), for 5 s"}
    ring.block(0, 20.0, "authentication_failed")
    assert ring.take("other", 5.0) is None
    assert ring.wait("m", 5.0) == 15.0


def test_any_number_of_models_takes_no_more_than_so_much_room() -> None:
    ring = KeyRing(["a"])
    for number in range(3 * MOST_BLOCKED):
        ring.block(0, 10.0 + number, "rate_limited", str(number))
    assert ring.describe(0.0)["a"].count(";") == MOST_BLOCKED - 1
    assert ring.take(str(3 * MOST_BLOCKED - 1), 0.0) is None
