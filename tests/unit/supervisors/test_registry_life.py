# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""What happens to a registry's entries when processes start, end and are started again."""

from contextlib import nullcontext

import pytest
import trio

from supervisors import (
    AlreadyRegistered,
    AlreadyStarted,
    ChildSpec,
    FailedToStartChild,
    Ignore,
    Normal,
    Registry,
    RegistryNotRunning,
    StartTimeout,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, child, children, crash, puppet
from tests.unit.supervisors.registries import hooks, is_empty, running

BOTH_KINDS = pytest.mark.parametrize("kind", ["unique", "duplicate"])


async def sleep_forever(_):
    await trio.sleep_forever()


# --- ends ---


@BOTH_KINDS
async def test_P_RE_03_entries_of_the_dead_vanish(autojump_clock, kind):
    registry = Registry("registry", kind)
    async with running(registry) as (_, a, b):
        registry.register("hello", a, 1)
        registry.register("world", b, 2)
        a.kill()
        b.kill()
        await a.wait()
        await b.wait()
        assert registry.lookup("hello") == registry.lookup("world") == []
        assert is_empty(registry)
        assert hooks(a, registry) == hooks(b, registry) == 0


@BOTH_KINDS
@pytest.mark.parametrize(
    "end", [lambda ref: ref.kill(), lambda ref: ref.cast(boom), lambda ref: ref.cast(is_done)]
)
async def test_entries_are_gone_before_anyone_hears_of_the_end(autojump_clock, kind, end):
    registry = Registry("registry", kind)
    seen = []

    def look(me):
        me.monitor(b)
        me.handle_info = note

    async def note(_):
        seen.append((registry.lookup("hello"), registry.keys(b)))

    async with running(registry) as (_, a, b):
        registry.register("hello", b)
        await a.call(Do(look))
        end(b)
        await b.wait()
        assert registry.keys() == []
        await a.call(Do(lambda _: None))
        assert seen == [([], [])]


def is_done(_):
    return Stop(Normal())


async def test_a_key_is_taken_while_its_holder_is_being_killed(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, b):
        names.register("hello", a, "first")
        a.kill()
        with pytest.raises(AlreadyRegistered) as caught:
            names.register("hello", b)
        assert caught.value.ref == a
        names.register("late", a)  # it still lives
        await a.wait()
        assert is_empty(names)
        names.register("hello", b, "second")
        assert names.lookup("hello") == [(b, "second")]


# --- starts under a name ---


async def test_P_RE_04_start_under_a_name(autojump_clock):
    names = Registry("names")
    name = names.via("A")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        with pytest.raises(FailedToStartChild):
            await Supervisor.start_child(top, puppet("bad", name=name, init=boom))
        assert names.whereis("A") is None
        ref = await Supervisor.start_child(top, puppet("a", name=name))
        assert await name.call(Do(lambda me: me.ref)) == ref
        assert (name.pid, name.name, name.is_alive) == (ref.pid, "A", True)
        with pytest.raises(AlreadyStarted) as caught:
            await Supervisor.start_child(top, puppet("b", name=name))
        assert caught.value.ref == ref
        assert list(await children(top)) == ["names", "a"]
        await crash(ref)
        assert await name.call(Do(lambda me: me.ref)) != ref


async def test_P_GS_02_a_supervisor_under_a_name(autojump_clock):
    names = Registry("names")
    spec = ChildSpec("s", Supervisor, type="supervisor", name=names.via("S"))
    async with open_tree(lambda: Supervisor([names.child_spec(), spec])):
        ref = await Supervisor.start_child(names.via("S"), puppet("a"))
        assert list(await children(names.via("S"))) == ["a"]
        assert ref.is_alive


async def kill_itself(me):
    me.ref.kill()
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("init", "outcome"),
    [
        (boom, pytest.raises(FailedToStartChild)),
        (is_done, pytest.raises(FailedToStartChild)),
        (kill_itself, pytest.raises(FailedToStartChild)),
        (sleep_forever, pytest.raises(StartTimeout)),
        (lambda _: Ignore(), nullcontext()),
    ],
)
async def test_an_init_that_fails_leaves_its_keys_free(autojump_clock, init, outcome):
    names, topics = Registry("names"), Registry("topics", "duplicate")
    own = []

    def register_and_fail(me):
        assert names.whereis("A") == me.ref  # it has its name in init
        names.register("more", me.ref)
        topics.register("topic", me.ref)
        own.append(me.ref)
        return init(me)

    spec = puppet("a", name=names.via("A"), init=register_and_fail, start_timeout=1.0)
    async with running(names, topics, ids="") as (top,):
        with outcome:
            assert await Supervisor.start_child(top, spec) is None
        assert len(own) == 1
        assert is_empty(names)
        assert is_empty(topics)
        assert await Supervisor.start_child(top, puppet("b", name=names.via("A")))


async def test_a_restarted_child_has_its_name_and_what_its_init_registers_again(autojump_clock):
    names, topics = Registry("names"), Registry("topics", "duplicate")
    spec = puppet(
        "a",
        name=names.via("A", "value"),
        init=lambda me: topics.register("topic", me.ref, "again"),
    )
    async with running(names, topics, ids="") as (top,):
        first = await Supervisor.start_child(top, spec)
        topics.register("more", first)
        await crash(first)
        second = await child(top, "a")
        assert second != first
        assert names.select() == [("A", second, "value")]
        assert topics.select() == [("topic", second, "again")]


async def test_via_with_a_value(autojump_clock):
    names = Registry("names")
    async with running(names, ids="") as (top,):
        ref = await Supervisor.start_child(top, puppet("a", name=names.via("A", "value")))
        assert names.lookup("A") == [(ref, "value")]


async def test_names_are_equal_by_registry_and_key(autojump_clock):
    names, others = Registry("names"), Registry("names")
    async with running(names) as (_, a, _):
        names.register("A", a)
        assert names.via("A") == names.via("A", ["any value"])
        assert len({names.via("A"), names.via("A", ["any value"]), names.via("B")}) == 2
        assert names.via("A") != others.via("A")
        assert names.via("A") != a
        assert a != names.via("A")
        assert names.via("A") != "A"


# --- the registry's own life ---


async def test_a_registry_that_does_not_run_finds_nobody_and_takes_nothing(autojump_clock):
    names = Registry("names", meta={"color": "red"})
    others = Registry("others")
    async with running(others) as (_, a, _):
        for attempt in (lambda: names.register("A", a), lambda: names.put_meta("key", 1)):
            with pytest.raises(RegistryNotRunning, match="names is not running"):
                attempt()
        with pytest.raises(RegistryNotRunning):
            async with names.lock("key"):
                pytest.fail("no registry")
        names.unregister("A", a)
        names.delete_meta("color")
        assert names.lookup("A") == names.keys() == names.keys(a) == names.select() == []
        assert (names.whereis("A"), names.count(), names.meta("color")) == (None, 0, None)
        assert hooks(a, names) == 0


async def test_what_needs_the_registry_starts_after_it_or_not_at_all(autojump_clock):
    names = Registry("names")
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(lambda: Supervisor([puppet("a", name=names.via("A"))])):
            pytest.fail("no registry")
    assert isinstance(caught.value.__cause__, RegistryNotRunning)
    specs = [names.child_spec(), puppet("a", name=names.via("A"))]
    async with open_tree(lambda: Supervisor(specs, strategy="rest_for_one")) as top:
        first = names.whereis("A")
        await crash(await child(top, "names"))
        second = names.whereis("A")
        assert second is not None
        assert second != first
    assert is_empty(names)


async def test_a_registry_runs_in_one_place_at_a_time_and_anew_later(autojump_clock):
    names = Registry("names")
    async with running(names) as (_, a, _):
        names.register("A", a)
        with pytest.raises(FailedToStartChild) as caught:
            async with running(names):
                pytest.fail("a second time")
        assert isinstance(caught.value.__cause__, AlreadyStarted)
        assert names.whereis("A") == a  # the first has not suffered
    async with running(names) as (_, a, _):
        assert names.keys() == []
        names.register("A", a)
        assert names.whereis("A") == a


@BOTH_KINDS
async def test_when_the_registry_ends_every_entry_goes_and_its_users_stay(autojump_clock, kind):
    registry = Registry("registry", kind, meta={"color": "red"})
    async with running(registry, trap=False) as (top, a, b):
        registry.register("hello", a)
        registry.register("world", b)
        registry.put_meta("color", "blue")
        registry.put_meta("size", 3)
        await crash(await child(top, "registry"))
        assert is_empty(registry)
        assert hooks(a, registry) == hooks(b, registry) == 0
        assert a.is_alive
        assert b.is_alive
        assert (registry.meta("color"), registry.meta("size")) == ("red", None)
        registry.register("hello", a)
        await b.stop()  # what it had before is not freed now
        assert registry.lookup("hello") == [(a, None)]


async def test_a_registry_may_hold_its_own_process(autojump_clock):
    names = Registry("names", linked=True)
    async with running(names) as (top, a, _):
        names.register("A", a)
        own = await child(top, "names")
        names.register("self", own)
        assert names.whereis("self") == own
        await crash(own)
        assert is_empty(names)
        assert hooks(own, names) == 0
        names.register("A", a)
        assert names.whereis("A") == a


# --- linked ---


@BOTH_KINDS
async def test_a_linked_registry_that_crashes_takes_those_along_that_have_entries(
    autojump_clock, kind
):
    registry = Registry("registry", kind, linked=True)
    async with running(registry, ids="abcd", trap=False) as (top, a, b, c, d):
        registry.register("hello", a)
        registry.register("more", a)
        registry.unregister("more", a)
        registry.register("world", b)
        registry.unregister("world", b)
        registry.register("late", d)
        await d.stop()  # that of a user does the registry no harm
        own = await child(top, "registry")
        own.cast("not understood")
        assert await a.wait() == await own.wait()
        await trio.sleep(1)
        assert b.is_alive
        assert c.is_alive
        assert (await child(top, "registry")).is_alive
        registry.register("hello", b)


async def test_an_orderly_end_of_a_linked_registry_ends_its_users_too(autojump_clock):
    names = Registry("names", linked=True)
    async with running(names, trap=False) as (top, a, b):
        names.register("A", a)
        await Supervisor.terminate_child(top, "names")
        await a.wait()
        assert b.is_alive


async def test_one_that_traps_exits_hears_of_the_end_of_a_linked_registry(autojump_clock):
    names = Registry("names", linked=True)
    async with running(names) as (top, a, _):
        names.register("A", a)
        own = await child(top, "names")
        await crash(own)
        (exit_message,) = await a.call(Do(lambda me: me.got))
        assert (exit_message.ref, exit_message.reason) == (own, await own.wait())
        assert names.keys(a) == []


async def test_a_registry_with_users_under_a_restarting_supervisor(autojump_clock):
    """What `linked` is for: under one_for_one too, nobody lives on without its name."""
    names = Registry("names", linked=True)
    spec = ChildSpec("a", lambda: Puppet("a", trap=False), name=names.via("A"))
    async with open_tree(lambda: Supervisor([names.child_spec(), spec])) as top:
        first = await child(top, "a")
        await crash(await child(top, "names"))
        second = await child(top, "a")
        assert second != first
        assert names.whereis("A") == second
