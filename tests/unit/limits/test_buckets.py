"""An account's share, as one process keeps it."""

import pytest

from nexus_actors.limits.buckets import Account, make_buckets


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


def test_first_come_first_served_also_if_the_second_needs_less() -> None:
    one = account(requests=None)
    one.want("large", 500.0)
    one.want("small", 1.0)
    one.take([100.0])
    assert served(one) == []
    one.take([401.0])
    assert served(one) == ["large", "small"]


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
