"""What a registry tells its listeners, and what it keeps beside its entries."""

import pytest
import trio

from supervisors import Registered, Registry, Supervisor, Unregistered
from tests.unit.supervisors.actors import Do, child, crash, puppet
from tests.unit.supervisors.registries import running


async def heard(ref):
    """What the listener got since the last time."""

    def give(me):
        got, me.got = me.got, []
        return got

    return await ref.call(Do(give))


@pytest.fixture
def local():
    """Where the listener has its name."""
    return Registry("local")


async def test_listeners_are_told_of_each_registration(autojump_clock, local):
    names = Registry("names", listeners=[local.via("ear"), local.via("nobody")])
    async with running(local, names, ids="eab") as (top, ear, a, b):
        local.register("ear", ear)
        names.register("hello", a, "world")
        names.register("more", b)
        assert await heard(ear) == [
            Registered(names, "hello", a, "world"),
            Registered(names, "more", b, None),
        ]
        names.unregister("hello", a)
        assert await heard(ear) == [Unregistered(names, "hello", a)]
        c = await Supervisor.start_child(top, puppet("c", name=names.via("C", 3)))
        assert await heard(ear) == [Registered(names, "C", c, 3)]


async def test_listeners_are_told_only_of_what_happened(autojump_clock, local):
    names = Registry("names", listeners=[local.via("ear")])
    async with running(local, names, ids="eab") as (_, ear, a, b):
        local.register("ear", ear)
        names.register("hello", a, 1)
        await heard(ear)
        with pytest.raises(Exception, match="already registered"):
            names.register("hello", b)
        names.unregister("hello", b)
        names.unregister("nobody's", a)
        names.unregister_match("hello", a, lambda n: n > 1)
        names.update_value("hello", a, lambda n: n + 1)
        assert await heard(ear) == []


async def test_one_who_shares_a_key_gives_it_up_with_the_last_entry(autojump_clock, local):
    topics = Registry("topics", "duplicate", listeners=[local.via("ear")])
    async with running(local, topics, ids="eab") as (_, ear, a, b):
        local.register("ear", ear)
        for n in range(3):
            topics.register("hello", a, n)
        topics.register("hello", b)
        assert len(await heard(ear)) == 4
        topics.unregister_match("hello", a, lambda n: n == 0)
        assert await heard(ear) == []
        topics.unregister("hello", a)
        assert await heard(ear) == [Unregistered(topics, "hello", a)]


async def test_an_end_is_for_monitors_not_for_listeners(autojump_clock, local):
    names = Registry("names", listeners=[local.via("ear")])
    async with running(local, names, ids="eab") as (top, ear, a, b):
        local.register("ear", ear)
        names.register("A", a)
        names.register("B", b)
        await heard(ear)
        await a.stop()
        await crash(await child(top, "names"))
        assert await heard(ear) == []


async def test_a_registry_outlives_its_listeners_and_finds_their_successors(autojump_clock, local):
    names = Registry("names", listeners=[local.via("ear")])
    async with running(local, names, ids="a") as (top, a):
        first = await Supervisor.start_child(top, puppet("ear", name=local.via("ear")))
        await crash(first)
        second = await child(top, "ear")
        names.register("hello", a)
        assert await heard(second) == [Registered(names, "hello", a, None)]
        await Supervisor.terminate_child(top, "ear")
        names.unregister("hello", a)
        assert names.whereis("hello") is None


# --- metadata ---


async def test_metadata(autojump_clock):
    names = Registry("names", meta={"color": "red"})
    async with running(names, ids=""):
        assert names.meta("color") == "red"
        assert names.meta("size") is None
        assert names.meta("size", 0) == 0
        names.put_meta(("room", 5), "big")
        names.put_meta("color", None)
        assert names.meta(("room", 5)) == "big"
        assert names.meta("color", "none") is None
        names.delete_meta("color")
        names.delete_meta("color")
        assert names.meta("color", "none") == "none"
        assert names.count() == 0


async def test_metadata_is_as_at_first_when_the_registry_starts_again(autojump_clock):
    first = {"color": "red"}
    names = Registry("names", meta=first)
    first["color"] = "changed later"
    async with running(names, ids="") as (top,):
        names.delete_meta("color")
        names.put_meta("size", 3)
        await Supervisor.terminate_child(top, "names")
        assert names.meta("size") is None
        await Supervisor.restart_child(top, "names")
        await trio.sleep(1)
        assert (names.meta("color"), names.meta("size")) == ("red", None)
