"""An actor reached from a thread that is not its own: refused, and nothing has changed."""

import pytest
import trio
import trio.testing

from supervisors import Normal, Registry, Supervisor, WrongThread, open_tree, system
from supervisors.actor_ref import Caller
from supervisors.reasons import Shutdown
from tests.unit.supervisors.actors import Do, child, puppet

NAMES = Registry("Names")

WAYS = {
    "cast": lambda ref, actor, caller: ref.cast("x"),
    "send": lambda ref, actor, caller: ref.send("x"),
    "exit": lambda ref, actor, caller: ref.exit(Shutdown()),
    "kill": lambda ref, actor, caller: ref.kill(),
    "request to stop": lambda ref, actor, caller: ref._process.request_stop(Normal()),
    "reply": lambda ref, actor, caller: caller.reply(1),
    "fail": lambda ref, actor, caller: caller.fail(ValueError()),
    "send_after": lambda ref, actor, caller: actor.send_after(0, "x"),
    "spawn_link": lambda ref, actor, caller: actor.spawn_link(trio.sleep_forever),
    "link": lambda ref, actor, caller: actor.link(ref),
    "monitor": lambda ref, actor, caller: actor.monitor(ref),
    "register": lambda ref, actor, caller: NAMES.register("k", ref),
    "install": lambda ref, actor, caller: system.install(ref, lambda event: None),
}


def plain(function):
    function()


def with_a_trio_of_its_own(function):
    async def main():
        function()

    trio.run(main)


def describe(ref):
    process = ref._process
    return (
        len(process.mailbox),
        process.mailbox.reader,
        process.stop_reason,
        process.doomed,
        dict(process.timers),
        dict(process.tasks),
        dict(process.links),
        dict(process.monitors),
        list(process.tracers),
        NAMES.count(),
    )


@pytest.mark.parametrize("thread", [plain, with_a_trio_of_its_own])
@pytest.mark.parametrize("way", WAYS)
async def test_it_is_refused_and_nothing_has_changed(way, thread):
    kept = []
    async with open_tree(lambda: Supervisor([NAMES.child_spec(), puppet("a")])) as top:
        ref = await child(top, "a")
        actor = await ref.call(Do(lambda actor: actor))

        caller = Caller(ref._process, None, Do(lambda actor: None), 5.0)
        await trio.testing.wait_all_tasks_blocked()
        before = describe(ref)

        def attempt():
            try:
                WAYS[way](ref, actor, caller)
            except WrongThread as error:
                kept.append(str(error))

        await trio.to_thread.run_sync(thread, attempt)
        assert "trio.from_thread" in kept[0]
        assert describe(ref) == before
        assert not caller.settled
        assert await ref.call(Do(lambda actor: 7)) == 7


async def test_a_call_and_a_stop_from_another_trio_are_refused():
    refused = []
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")

        async def elsewhere():
            for ask in (lambda: ref.call(Do(lambda actor: 1)), ref.stop):
                try:
                    await ask()
                except WrongThread as error:
                    refused.append(error)

        await trio.to_thread.run_sync(trio.run, elsewhere)
        assert len(refused) == 2
        assert await ref.call(Do(lambda actor: 7)) == 7


async def test_by_trio_from_thread_it_gets_through():
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")

        def work():
            trio.from_thread.run_sync(ref.cast, lambda actor: None)
            return trio.from_thread.run(ref.call, Do(lambda actor: 7))

        assert await trio.to_thread.run_sync(work) == 7
