# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Registry with unique keys: registering, looking up, updating, unregistering."""

import pytest

from supervisors import (
    AlreadyRegistered,
    NoProcess,
    NotRegistered,
    Registry,
    RegistryError,
    Supervisor,
    UnhashableKey,
    errors,
)
from tests.unit.supervisors.actors import boom, child
from tests.unit.supervisors.registries import hooks, is_empty, running


async def test_P_RE_01_unique_registrations(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("hello", a, "value")
        with pytest.raises(AlreadyRegistered) as caught:
            names.register("hello", a, "other")
        assert (caught.value.key, caught.value.ref) == ("hello", a)
        assert names.values("hello", a) == ["value"]
        names.register("world", a)
        assert names.keys(a) == names.keys() == ["hello", "world"]
        assert names.lookup("hello") == [(a, "value")]
        assert names.lookup("world") == [(a, None)]


async def test_P_RE_02_unique_registrations_across_processes(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, b):
        names.register("hello", a, "value")
        with pytest.raises(AlreadyRegistered) as caught:
            names.register("hello", b, "other")
        assert caught.value.ref == a
        assert (names.keys(a), names.values("hello", a)) == (["hello"], ["value"])
        assert (names.keys(b), names.values("hello", b)) == ([], [])
        assert hooks(b, names) == 0  # nor is anything left of the attempt
        assert names.count() == 1


async def test_P_RE_07_update_value(autojump_clock):
    names = Registry("names")
    called = []
    async with running(names) as (_, a, b):
        with pytest.raises(NotRegistered) as caught:
            names.update_value("hello", a, called.append)
        assert caught.value.holder is None
        names.register("hello", b, 1)
        with pytest.raises(NotRegistered) as caught:
            names.update_value("hello", a, called.append)
        assert caught.value.holder == b
        assert not called
        names.register("world", a, 1)
        assert names.update_value("world", a, lambda n: n + 1) == (2, 1)
        assert names.lookup("world") == [(a, 2)]
        assert names.lookup("hello") == [(b, 1)]


async def test_update_value_that_raises_changes_nothing(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("hello", a, 1)
        with pytest.raises(RuntimeError, match="boom"):
            names.update_value("hello", a, boom)
        assert names.values("hello", a) == [1]


async def test_looking_up(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, b):
        assert (names.lookup("hello"), names.whereis("hello"), names.count()) == ([], None, 0)
        names.register("hello", a, 1)
        names.register("world", b, 2)
        (entry,) = names.lookup("hello")
        assert (entry.ref, entry.value) == (a, 1)
        assert names.whereis("world") == b
        assert names.count() == 2
        assert names.select() == [("hello", a, 1), ("world", b, 2)]
        assert names.values("nobody's", a) == names.values("world", a) == []


async def test_what_lookup_gave_is_the_callers(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("hello", a)
        names.lookup("hello").clear()
        names.keys(a).clear()
        assert names.whereis("hello") == a
        assert names.keys(a) == ["hello"]


async def test_one_with_many_names_gives_them_up_one_by_one(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.unregister("hello", a)  # fine, also without any entry
        names.register("hello", a)
        names.register("world", a)
        names.unregister("hello", a)
        assert names.keys(a) == ["world"]
        assert hooks(a, names) == 1
        names.unregister("world", a)
        assert names.keys(a) == []
        assert hooks(a, names) == 0
        assert is_empty(names)


async def test_nobody_gives_up_the_name_of_another(autojump_clock):
    names = Registry("names")
    async with running(names) as (top, a, b):
        names.register("hello", a)
        names.unregister("hello", b)
        names.unregister_match("hello", b, lambda _: True)
        assert names.whereis("hello") == a
        names.unregister("hello", a)
        names.register("hello", b)
        await Supervisor.terminate_child(top, "a")
        assert names.whereis("hello") == b  # what it had given up is not freed a second time


async def test_match_by_value(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("hello", a, (1, "x"))
        assert names.match("hello", lambda value: value[0] == 1) == [(a, (1, "x"))]
        assert names.match("hello", lambda value: value[0] == 2) == []
        assert names.match("nobody's", lambda _: True) == []
        assert names.count_match("hello", lambda value: value[1] == "x") == 1
        assert names.count_match("hello", lambda value: value[1] == "y") == 0
        names.unregister_match("hello", a, lambda value: value[0] == 2)
        assert names.whereis("hello") == a
        names.unregister_match("hello", a, lambda value: value[0] == 1)
        assert names.whereis("hello") is None
        assert is_empty(names)


async def test_dispatch_calls_once_with_the_entry_or_not_at_all(autojump_clock):
    names = Registry("names")
    seen = []
    async with running(names) as (_, a, _):
        names.dispatch("hello", seen.append)
        assert seen == []
        names.register("hello", a, 1)
        names.dispatch("hello", seen.append)
        assert seen == [[(a, 1)]]
        with pytest.raises(RuntimeError, match="boom"):
            names.dispatch("hello", boom)


async def test_anything_hashable_is_a_key_and_equal_ones_are_one(autojump_clock):
    names = Registry("names")
    nan = float("nan")
    async with running(names) as (_, a, _):
        for key in (("room", 5), None, frozenset({1}), 1, nan):
            names.register(key, a, "value")
        with pytest.raises(AlreadyRegistered):
            names.register(1.0, a)
        assert names.whereis(None) == a
        assert names.values(nan, a) == ["value"]
        names.unregister(nan, a)
        assert names.keys(a) == [("room", 5), None, frozenset({1}), 1]


@pytest.mark.parametrize("key", [["a"], ("a", ["SECRET"])])
async def test_unhashable_keys_are_refused(autojump_clock, key):
    names = Registry("names")
    async with running(names) as (_, a, _):
        for attempt in (
            lambda: names.register(key, a),
            lambda: names.via(key),
            lambda: names.put_meta(key, 1),
        ):
            with pytest.raises(UnhashableKey, match=type(key).__name__) as caught:
                attempt()
            assert caught.value.key is key
            assert isinstance(caught.value.__cause__, TypeError)
            assert "SECRET" not in str(caught.value)
        with pytest.raises(TypeError):
            names.lookup(key)
        assert issubclass(UnhashableKey, RegistryError)
        assert issubclass(UnhashableKey, TypeError)
        assert hooks(a, names) == 0
        assert is_empty(names)


async def test_the_dead_cannot_register(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        await a.stop()
        with pytest.raises(NoProcess):
            names.register("hello", a)
        with pytest.raises(NoProcess):
            names.register("hello", names.via("nobody"))
        names.unregister("hello", a)
        assert (names.keys(a), names.values("hello", a)) == ([], [])
        with pytest.raises(NotRegistered):
            names.update_value("hello", names.via("nobody"), boom)
        assert names.keys(names.via("nobody")) == []
        assert is_empty(names)


async def test_a_name_may_be_used_to_register_and_to_ask(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("first", a)
        names.register("second", names.via("first"), 2)
        assert names.keys(names.via("second")) == ["first", "second"]
        assert names.lookup("second") == [(a, 2)]
        names.unregister("first", names.via("second"))
        assert names.keys(a) == ["second"]


async def test_the_same_key_in_two_registries(autojump_clock):
    names, others = Registry("names"), Registry("others")
    async with running(names, others) as (top, a, b):
        names.register("hello", a)
        others.register("hello", b)
        others.register("world", a)
        assert (names.whereis("hello"), others.whereis("hello")) == (a, b)
        (await child(top, "others")).kill()
        await b.stop()
        assert names.whereis("hello") == a


def test_keys_are_unique_or_duplicate():
    with pytest.raises(errors.InvalidKeys) as caught:
        Registry("names", keys="bag")
    assert caught.value.value == "bag"
    assert isinstance(caught.value, ValueError)
