# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Registry with duplicate keys: topics."""

import pytest

from supervisors import NotUnique, Registry
from tests.unit.supervisors.actors import Do, boom
from tests.unit.supervisors.registries import hooks, is_empty, running


async def test_P_RE_08_duplicate_registrations(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, b):
        topics.register("hello", a, 1)
        topics.register("hello", b, 2)
        topics.register("hello", a, 3)
        topics.register("hello", a, 1)
        topics.register("world", a)
        assert topics.lookup("hello") == [(a, 1), (b, 2), (a, 3), (a, 1)]
        assert topics.keys(a) == ["hello", "hello", "hello", "world"]
        assert topics.keys(b) == ["hello"]
        assert topics.values("hello", a) == [1, 3, 1]
        assert topics.count() == 5
        topics.unregister("hello", a)
        assert topics.lookup("hello") == [(b, 2)]
        assert (topics.keys(a), topics.keys(b)) == (["world"], ["hello"])
        topics.unregister("hello", a)
        assert topics.count() == 2


async def test_select_lists_every_entry(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, b):
        assert topics.select() == []
        topics.register("hello", a, 1)
        topics.register("world", b, 2)
        topics.register("hello", a, 1)
        assert topics.select() == [("hello", a, 1), ("hello", a, 1), ("world", b, 2)]
        assert topics.keys() == ["hello", "hello", "world"]


async def test_an_end_takes_only_its_own_entries_along(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, b):
        for n in range(3):
            topics.register("hello", a, n)
            topics.register("hello", b, n)
            topics.register(n, b)
        await b.stop()
        assert topics.select() == [("hello", a, n) for n in range(3)]
        assert hooks(a, topics) == 1
        await a.stop()
        assert is_empty(topics)


async def test_match_by_value(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, b):
        topics.register("hello", a, 1)
        topics.register("hello", a, 2)
        topics.register("hello", b, 2)
        topics.register("world", a, 2)
        assert topics.match("hello", lambda n: n > 1) == [(a, 2), (b, 2)]
        assert topics.count_match("hello", lambda n: n > 0) == 3
        topics.unregister_match("hello", a, lambda n: n > 1)
        assert topics.lookup("hello") == [(a, 1), (b, 2)]
        assert topics.keys(a) == ["hello", "world"]
        topics.unregister_match("hello", a, lambda n: n > 1)
        assert topics.lookup("hello") == [(a, 1), (b, 2)]


async def test_an_unregister_whose_predicate_raises_changes_nothing(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, _):
        topics.register("hello", a, 1)
        topics.register("hello", a, "not a number")
        with pytest.raises(TypeError):
            topics.unregister_match("hello", a, lambda n: n > 0)
        assert topics.values("hello", a) == [1, "not a number"]


async def test_dispatch_reaches_every_entry_of_the_key_and_no_other(autojump_clock):
    topics = Registry("topics", keys="duplicate")

    def publish(entries):
        calls.append(len(entries))
        for ref, value in entries:
            ref.send(value)

    async with running(topics) as (_, a, b):
        calls = []
        topics.dispatch("hello", boom)  # nobody there: not called
        topics.register("hello", a, 1)
        topics.register("hello", a, 2)
        topics.register("hello", b, 3)
        topics.register("world", b, 4)
        topics.dispatch("hello", publish)
        assert calls == [3]
        assert await a.call(Do(lambda me: me.got)) == [1, 2]
        assert await b.call(Do(lambda me: me.got)) == [3]


async def test_what_dispatch_calls_may_change_the_registry(autojump_clock):
    topics = Registry("topics", keys="duplicate")

    def drop(entries):
        for ref, _ in entries:
            topics.unregister("hello", ref)

    async with running(topics) as (_, a, b):
        topics.register("hello", a)
        topics.register("hello", b)
        topics.dispatch("hello", drop)
        assert is_empty(topics)


async def test_what_needs_one_holder_is_refused(autojump_clock):
    topics = Registry("topics", keys="duplicate")
    async with running(topics) as (_, a, _):
        topics.register("hello", a, 1)
        for what, attempt in {
            "via": lambda: topics.via("hello"),
            "whereis": lambda: topics.whereis("hello"),
            "update_value": lambda: topics.update_value("hello", a, boom),
        }.items():
            with pytest.raises(NotUnique, match=f"{what} needs unique keys.*topics"):
                attempt()
