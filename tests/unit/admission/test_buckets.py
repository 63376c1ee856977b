"""An account's share, as one process keeps it."""

import random

import pytest

from nexus_actors.admission.buckets import Account, make_buckets


def account(requests: float | None = 60.0, tokens: float | None = 6000.0) -> Account[str]:
    return Account(
        make_buckets("p", "sk-canary", requests_per_minute=requests, tokens_per_minute=tokens)
    )


def served(one: Account[str]) -> list[str]:
    return [want.who for want in one.ready()]


def test_buckets_are_named_alike_for_a_key_and_tell_nothing_of_it() -> None:
    first, again = account().buckets, account().buckets
    assert [b.name for b in first] == [b.name for b in again]
    assert not any("canary" in bucket.name for bucket in first)
    other = make_buckets("p", "sk-other", requests_per_minute=60.0, tokens_per_minute=None)
    assert other[0].name != first[0].name
    assert make_buckets("p", "k", requests_per_minute=None, tokens_per_minute=None) == ()


def test_nobody_is_served_before_something_was_taken() -> None:
    one = account()
    one.want("a", 500.0)
    assert served(one) == []
    assert one.wanted() == [1.0, 500.0]
    one.take([1.0, 300.0])
    assert served(one) == []
    assert one.wait() == pytest.approx(2.0)  # 200 tokens at 100 a second
    one.take([0.0, 200.0])
    assert served(one) == ["a"]
    assert one.wanted() == [0.0, 0.0]


def test_first_come_first_served_where_the_second_needs_as_much() -> None:
    one = account(requests=None)
    one.want("first", 500.0)
    one.want("second", 500.0)
    one.take([499.0])
    assert served(one) == []
    one.take([501.0])
    assert served(one) == ["first", "second"]


def test_no_more_is_taken_than_a_share_or_than_the_first_needs() -> None:
    one = account(requests=600.0, tokens=None)
    for number in range(100):
        one.want(str(number), 0.0)
    assert one.wanted() == [5.0]  # half a second's
    one = account(requests=None)
    one.want("large", 5000.0)
    assert one.wanted() == [5000.0]


def test_what_a_call_did_not_need_goes_to_the_next() -> None:
    one = account(requests=None)
    one.settle(300.0)
    one.want("a", 200.0)
    assert served(one) == ["a"]
    one.settle(-400.0)
    one.want("b", 100.0)
    assert one.wanted() == [400.0]


def test_a_small_one_passes_with_half_of_what_comes_in() -> None:
    one = account(requests=None)
    one.want("large", 5000.0)
    one.want("small", 100.0)
    one.take([199.0])
    assert served(one) == []
    assert one.wait() == pytest.approx(0.01)
    one.take([1.0])
    assert served(one) == ["small"]
    one.want("small again", 100.0)
    assert one.wait() == pytest.approx(2.0)  # 100 are kept for the first; 200 passed then
    one.take([4900.0])
    assert served(one) == ["large"] or not one.waiting


def test_who_gave_up_loses_its_place() -> None:
    one = account(requests=None)
    one.want("large", 50_000.0)
    one.want("small", 10.0)
    one.take([15.0])
    assert served(one) == []
    one.leave(lambda who: who == "large")
    assert served(one) == ["small"]
    assert one.wait() == 0.0


def test_nobody_waits_for_more_than_twice_what_it_and_those_before_it_need() -> None:
    """Whatever is asked for in which order; tokens that come in are the clock."""
    wrong = {seed: late for seed in range(50) if (late := served_late(seed))}
    assert not wrong, "\n".join(map(repr, wrong.items()))


def served_late(seed: int) -> list[str]:
    chance = random.Random(seed)  # noqa: S311 - a test's luck, to be repeated
    one = account(requests=None)
    came_in, number = 0.0, 0
    latest: dict[str, float] = {}
    late = []
    for _ in range(300):
        for _ in range(chance.randrange(3)):
            number += 1
            amount = float(chance.choice((1, 10, 100, chance.randrange(1, 5_000))))
            before = sum(want.amounts[0] for want in one.waiting)
            one.want(str(number), amount)
            # What the first has kept is its own.
            latest[str(number)] = came_in + 2 * (before + amount) + 500
        portion = chance.random() * 500
        came_in += portion
        one.take([portion])
        if chance.random() < 0.05 and one.waiting:
            gone = one.waiting[0].who
            one.leave(lambda who, gone=gone: who == gone)  # type: ignore[misc]
            del latest[gone]
        late += [who for who in served(one) if came_in > latest.pop(who)]
    return late + [who for who, until in latest.items() if until < came_in]
