"""system: to look into a running actor, hold it, and trace it (OTP `sys`)."""

import logging
import math
from dataclasses import replace

import pytest
import trio

from supervisors import (
    Caller,
    CallingSelf,
    CallTimeout,
    Killed,
    MailboxBound,
    MailboxFull,
    NoProcess,
    NoReply,
    Normal,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
    system,
    tree,
)
from supervisors._core.mailbox import SYSTEM
from supervisors._core.trace import Did, Got
from tests.unit.supervisors.actors import Do, Puppet, boom, child, crash, puppet

EACH = [
    system.get_state,
    lambda ref, **options: system.replace_state(ref, dict, **options),
    system.get_status,
    system.suspend,
    system.resume,
    system.statistics,
]


async def nap(_):
    await trio.sleep(2)


def add(number):
    """A message: note it."""
    return lambda me: me.got.append(number)


async def test_get_state_sees_what_earlier_casts_have_done(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        ref.cast(lambda me: setattr(me, "label", "changed"))
        state = await system.get_state(ref)
        assert state["label"] == "changed"
        assert set(state) == set(vars(Puppet()))


async def test_replace_state_sets_what_the_function_makes_of_it(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        await system.replace_state(ref, lambda state: {"label": state["label"] + "b"})
        assert await ref.call(Do(lambda me: (me.label, me.got))) == ("ab", [])


@pytest.mark.parametrize(
    "function",
    [
        lambda _: 1 // 0,
        lambda _: None,
        lambda _: {"label": "new", "ref": "cannot be set"},
        lambda _: {"label": "new", 1: "no name"},
    ],
)
async def test_a_replace_state_that_fails_changes_nothing(autojump_clock, function):
    async with open_tree(puppet("a")) as ref:
        before = await system.get_state(ref)
        with pytest.raises((ZeroDivisionError, AttributeError, TypeError)):
            await system.replace_state(ref, function)
        assert await system.get_state(ref) == before
        assert await ref.call(Do(lambda _: "alive")) == "alive"


async def test_get_status_tells_of_its_relations(autojump_clock):
    async def watch(me):
        me.monitor(watched)
        me.link(linked)
        me.spawn_link(trio.sleep_forever)

    async with open_tree(lambda: Supervisor([puppet(letter) for letter in "abcd"])) as top:
        a, watched, linked, watcher = [await child(top, letter) for letter in "abcd"]
        await a.call(Do(watch))
        await watcher.call(Do(lambda me: me.monitor(a) and None))
        status = await system.get_status(a)
        assert status.ref == a
        assert (status.class_name, status.parent) == ("Puppet", top)
        assert (status.sys_state, status.mailbox_length) == ("running", 0)
        assert set(status.links) == {linked, top}
        assert status.monitors == (watched,)
        assert status.monitored_by == (watcher,)
        assert status.linked_tasks == ("sleep_forever",)
        assert (await system.get_status(linked)).links == (a, top)


async def test_get_status_of_a_supervisor(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        status = await system.get_status(top)
        assert status.class_name == "Supervisor"
        assert status.parent is None
        assert status.links == (await child(top, "a"),)
        assert status.state["strategy"] == "str"


async def test_get_status_never_shows_values_by_default(autojump_clock):
    async with open_tree(puppet("secret")) as ref:
        ref.cast(lambda me: me.got.append("secret"))
        status = await system.get_status(ref)
        assert status.state["got"] == "list"
        assert "secret" not in repr(replace(status, ref=None))


async def test_all_of_them_work_while_it_is_suspended(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        await system.suspend(ref)
        for ask in EACH[:4]:
            await ask(ref)
        assert (await system.get_status(ref)).sys_state == "suspended"
        assert (await tree(ref)).status == "suspended"
        await system.replace_state(ref, lambda _: {"label": "held"})
        assert (await system.get_state(ref))["label"] == "held"
        await system.resume(ref)
        assert (await system.get_status(ref)).sys_state == "running"


async def test_suspended_it_handles_nothing_and_then_all_in_order(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        await system.suspend(ref)
        for number in range(3):
            ref.cast(add(number))
        with pytest.raises(CallTimeout):
            await ref.call(Do(lambda _: "too late"), timeout=60)
        ref.send("info")
        assert (await system.get_state(ref))["got"] == []
        assert (await system.get_status(ref)).mailbox_length == 5
        await system.resume(ref)
        assert await ref.call(Do(lambda me: me.got)) == [0, 1, 2, "info"]


async def test_suspending_twice_takes_one_resume_and_resuming_none_is_fine(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        await system.resume(ref)  # nothing
        await system.suspend(ref)
        ref.cast(add(1))
        await system.suspend(ref)
        await system.resume(ref)
        await system.resume(ref)
        assert await ref.call(Do(lambda me: me.got)) == [1]


async def test_a_stop_is_heeded_while_suspended_and_who_waits_is_told(autojump_clock):
    journal = []
    async with open_tree(puppet("a", journal)) as ref, trio.open_nursery() as nursery:
        await system.suspend(ref)
        ref.cast(lambda _: journal.append("never"))

        async def ask():
            with pytest.raises(ServerExited):
                await ref.call(Do(lambda _: journal.append("never")))
            journal.append("told")

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await ref.stop(Shutdown("enough"), timeout=1)
    assert journal == [("start", "a"), ("stop", "a", Shutdown("enough")), "told"]


async def test_a_kill_is_heeded_while_suspended(autojump_clock):
    async with open_tree(Puppet) as ref:
        await system.suspend(ref)
        ref.kill()
        assert await ref.wait() == Killed()


@pytest.mark.parametrize("trap", [True, False])
async def test_the_parents_stop_is_heeded_while_suspended(autojump_clock, trap):
    async with open_tree(lambda: Supervisor([puppet("a", trap=trap, shutdown=60.0)])) as top:
        ref = await child(top, "a")
        await system.suspend(ref)
        began = trio.current_time()
        await Supervisor.terminate_child(top, "a")
        assert await ref.wait() == Shutdown()
        assert trio.current_time() == began


async def test_requests_that_waited_behind_messages_are_not_held_by_a_suspension(autojump_clock):
    gate = trio.Event()
    states, order = [], []
    async with open_tree(puppet("a")) as ref, trio.open_nursery() as nursery:

        async def look():
            states.append(await system.get_state(ref))

        ref.cast(lambda _: gate.wait())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(system.suspend, ref)
        await trio.testing.wait_all_tasks_blocked()
        ref.cast(lambda _: order.append("never"))
        nursery.start_soon(look)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ref.stop)
        await trio.testing.wait_all_tasks_blocked()
        assert states == []
        gate.set()
        assert await ref.wait() == Normal()
    assert len(states) == 1
    assert order == []


async def test_what_waited_past_the_mailbox_comes_first_after_resume(autojump_clock):
    got = []

    async with open_tree(puppet("a")) as ref:
        await system.suspend(ref)
        ref.cast(lambda _: got.append("never"))
        process = ref._process
        request = system.Request(system.release)
        process.control.put((SYSTEM, request, Caller(process, None, request, 5.0)))
        process.request_stop(Normal())
        assert await ref.wait() == Normal()
        assert got == []


async def test_a_suspended_supervisor_restarts_only_once_it_is_resumed(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        old = await child(top, "a")
        await system.suspend(top)
        assert (await tree(top)).status == "suspended"
        await crash(old)
        await trio.sleep(60)
        with pytest.raises(CallTimeout):
            await top.call(Do(boom), timeout=1)
        assert [c.process.ref for c in top._process.actor._children] == [old]
        await system.resume(top)
        new = await child(top, "a")
        assert new != old
        assert new.is_alive


async def test_a_suspended_tree_still_stops(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")
        await system.suspend(top)
        await system.suspend(ref)
    assert await ref.wait() == Shutdown()


class Narrow(Puppet):
    mailbox_bound = MailboxBound(2)


async def test_a_bounded_mailbox_keeps_its_count_through_suspensions(autojump_clock):
    async with open_tree(Narrow) as ref:
        for _ in range(3):
            await system.suspend(ref)
            for number in range(5):
                ref.cast(add(number))
            with pytest.raises(MailboxFull):
                await ref.call(Do(boom))
            await system.resume(ref)
            assert (await system.get_state(ref))["got"] == [0, 1]
            await ref.call(Do(lambda me: me.got.clear()))
        assert ref._process.mailbox._signals == 0


async def test_a_bounded_mailbox_keeps_its_count_of_requests_that_change_their_place(
    autojump_clock,
):
    gate = trio.Event()
    async with open_tree(Narrow) as ref:
        async with trio.open_nursery() as nursery:
            ref.cast(lambda _: gate.wait())
            await trio.testing.wait_all_tasks_blocked()
            for ask in (system.suspend, system.get_state, system.resume, system.get_status):
                nursery.start_soon(ask, ref)
                await trio.testing.wait_all_tasks_blocked()
            gate.set()
        assert ref._process.mailbox._signals == 0


async def test_statistics_count_from_the_moment_they_are_asked_for(autojump_clock):
    async with open_tree(puppet("a")) as ref:
        assert await system.statistics(ref) is None
        await system.statistics(ref, True)
        began = trio.current_time()
        await ref.call(Do(nap))
        with pytest.raises(CallTimeout):
            await ref.call(Do(lambda _: NoReply()), timeout=1)
        ref.cast(add(1))
        ref.send("info")
        counted = await system.statistics(ref)
        assert counted == system.Statistics(began, 2, 1, 1, 1, 2.0)
        ref.send("another")
        await system.get_state(ref)
        assert counted.infos == 1  # what was handed out does not go on counting
        await system.statistics(ref, False)
        assert await system.statistics(ref) is None
        assert ref._process.tracers == []


async def test_a_tracer_sees_what_is_handled_and_what_came_of_it(autojump_clock):
    events = []
    async with open_tree(lambda: Supervisor([puppet("a"), puppet("b")])) as top:
        a, b = await child(top, "a"), await child(top, "b")
        request = Do(nap)
        with system.trace(a, events.append):
            began = trio.current_time()
            await b.call(Do(lambda _: a.call(request)))
        await a.call(request)
        got, did = events
        assert got == Got(a, "handle_call", request, b, began)
        assert isinstance(did, Did)
        assert (did.callback, did.message, did.seconds) == ("handle_call", request, 2.0)
        system.install(a, events.append)
        a.send("info")
        await system.get_state(a)
        assert events[2:] == [
            Got(a, "handle_info", "info", None, trio.current_time()),
            Did(a, "handle_info", "info", None, 0.0),
        ]
        system.remove(a, events.append)
        await a.call(request)
        assert len(events) == 4


async def test_log_event_logs_types_only(autojump_clock, caplog):
    caplog.set_level(logging.INFO, "supervisors.trace")
    async with open_tree(puppet("a")) as ref:
        with system.trace(ref):
            ref.send("secret")
            await ref.call(Do(lambda _: "secret"))
    lines = caplog.messages
    assert lines[0] == "a got str in handle_info"
    assert lines[1].startswith("a returned NoneType from handle_info after 0.000000 s")
    assert lines[2] == "a got Do in handle_call"
    assert lines[3].startswith("a returned Reply from handle_call")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("ask", EACH)
async def test_they_raise_what_calls_raise(autojump_clock, ask):
    gate = trio.Event()

    async def ask_itself(me):
        with pytest.raises(CallingSelf):
            await ask(me.ref)

    async with open_tree(puppet("a")) as ref:
        await ref.call(Do(ask_itself))
        for timeout in (-1, math.nan):
            with pytest.raises(ValueError, match="at least 0"):
                await ask(ref, timeout=timeout)
        ref.cast(lambda _: gate.wait())
        with pytest.raises(CallTimeout):
            await ask(ref, timeout=1)
        gate.set()
        await ref.stop()
        with pytest.raises(NoProcess):
            await ask(ref)


async def test_one_asked_too_late_gets_the_servers_end(autojump_clock):
    async with open_tree(puppet("a")) as ref, trio.open_nursery() as nursery:
        gate = trio.Event()

        async def last(_):
            await gate.wait()
            return Stop(Normal())

        async def ask():
            with pytest.raises(ServerExited):
                await system.get_state(ref)

        ref.cast(last)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        gate.set()


async def test_tracing_the_dead_is_refused_and_untracing_them_is_not(autojump_clock):
    async with open_tree(Puppet) as ref:
        await ref.stop()
        with pytest.raises(NoProcess):
            system.install(ref, print)
        system.remove(ref, print)
