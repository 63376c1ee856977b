"""The tasks of spawn_link: how they live and end with their actor."""

from functools import partial

import pytest
import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Crashed,
    Exit,
    FailedToStartChild,
    Killed,
    Normal,
    Registry,
    Stop,
    Supervisor,
    open_tree,
)
from supervisors.testing import supervised
from tests.unit.supervisors.actors import Do, Puppet, child, start


class WithTask(Puppet):
    """Runs `task` beside itself."""

    def __init__(self, task, journal=None, **options):
        super().__init__("w", journal, **options)
        self.task = task

    async def init(self):
        self.linked = self.spawn_link(self.task, self.journal)


async def endless(journal):
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.5)
        journal.append("task over")


async def test_the_task_runs_on_during_terminate_and_is_awaited_before_anyone_hears(autojump_clock):
    names = Registry("names")
    journal = []
    spec = ChildSpec(
        "w",
        lambda: WithTask(endless, journal, stopping=1.0),
        restart="temporary",
        name=names.via("w"),
    )
    async with open_tree(lambda: Supervisor([names.child_spec(), spec])) as top:
        ref = await child(top, "w")
        ref.cast(lambda _: Stop(Normal()))
        await trio.sleep(1.25)  # terminate took 1 s, the task ends 0.5 s later
        assert ref.is_alive
        assert names.whereis("w") == ref
        assert journal == [("stop", "w", Normal())]
        assert await ref.wait() == Normal()
        assert journal[-1] == "task over"
        assert names.whereis("w") is None


async def fail_soon(journal):
    await trio.sleep(1)
    raise ValueError("task")


async def test_a_task_that_crashes_ends_an_actor_that_does_not_trap(autojump_clock, caplog):
    async with open_tree(
        lambda: Supervisor([ChildSpec("w", lambda: WithTask(fail_soon, trap=False))])
    ) as top:
        ref = await child(top, "w")
        reason = await ref.wait()
        assert isinstance(reason, Crashed)
        assert isinstance(reason.exception, ValueError)
        await trio.sleep(0.01)
        assert (await child(top, "w")) != ref
    assert [r.context for r in caplog.records] == ["child_terminated"]


async def test_a_task_that_crashes_is_a_message_to_one_who_traps(autojump_clock):
    async with open_tree(lambda: WithTask(fail_soon)) as ref:
        await trio.sleep(2)
        linked = await ref.call(Do(lambda me: me.linked))
        (got,) = await ref.call(Do(lambda me: me.got))
        assert got.ref is linked
        assert isinstance(got.reason, Crashed)


async def test_a_kill_ends_the_task_too(autojump_clock):
    journal = []
    async with open_tree(Supervisor) as top:
        spec = ChildSpec("w", lambda: WithTask(endless, journal), restart="temporary")
        ref = await Supervisor.start_child(top, spec)
        ref.kill()
        assert await ref.wait() == Killed()
    assert journal == ["task over"]


async def test_a_kill_while_its_tasks_are_awaited_is_what_others_hear(autojump_clock):
    async with open_tree(Supervisor) as top:
        spec = ChildSpec("w", lambda: WithTask(endless), restart="temporary")
        ref = await Supervisor.start_child(top, spec)
        ref.cast(lambda _: Stop(Normal()))
        await trio.sleep(0.25)
        ref.kill()
        assert await ref.wait() == Killed()


async def test_the_dead_collect_no_messages(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a")
        ref.kill()
        await ref.wait()
        ref.cast("into the void")
        assert len(ref._process.mailbox) == 0


async def test_a_task_may_call_its_own_actor(autojump_clock):
    async def ask(me):
        await trio.sleep(1)
        me.answer = await me.ref.call(Do(lambda _: "hello"))

    async with open_tree(Puppet) as ref:
        await ref.call(Do(lambda me: me.spawn_link(ask, me) and None))
        await trio.sleep(2)
        assert await ref.call(Do(lambda me: me.answer)) == "hello"


async def test_a_task_can_be_cancelled_alone(autojump_clock):
    async with open_tree(lambda: WithTask(endless)) as ref:
        linked = await ref.call(Do(lambda me: me.linked))
        linked.cancel()
        await trio.sleep(1)
        assert await ref.call(Do(lambda me: me.got)) == [Exit(linked, Normal())]


async def test_the_task_of_an_init_that_fails_is_ended(autojump_clock):
    journal = []

    class Failing(WithTask):
        async def init(self):
            await super().init()
            await trio.sleep(0.1)
            raise ValueError("init")

    with pytest.raises(FailedToStartChild):
        async with open_tree(lambda: Failing(endless, journal)):
            pytest.fail("failed")
    assert journal == ["task over"]


async def test_a_subclass_may_have_private_names_of_its_own(autojump_clock):
    class Own(Puppet):
        _process = _main = _host = _loop = _turn = _call = _follow = _note = _nursery = "mine"

    async with open_tree(Own) as ref:
        assert await ref.call(Do(lambda me: me._call)) == "mine"


async def test_a_linked_task_is_called_as_its_function_without_its_arguments(autojump_clock):
    async def fetch(card):
        await trio.lowlevel.checkpoint()

    names = []
    async with supervised(Puppet) as ref:
        bound = partial(partial(fetch), card="secret")
        await ref.call(Do(lambda me: names.append(me.spawn_link(bound).name)))
    assert len(names) == 1
    assert names[0].endswith("fetch")


async def test_a_task_started_while_the_tasks_are_ended_ends_with_them(autojump_clock, caplog):
    class Heir(Puppet):
        async def init(self):
            self.spawn_link(self.work)

        async def work(self):
            try:
                await trio.sleep_forever()
            finally:
                self.spawn_link(trio.sleep_forever)

    async with open_tree(Heir) as ref:
        await trio.sleep(1)
        began = trio.current_time()
        await ref.stop()
        assert trio.current_time() == began
    assert "unkillable" not in caplog.text


async def test_the_crash_of_a_task_that_nobody_reads_any_more_is_logged(autojump_clock, caplog):
    async def fail():
        raise ValueError("in the last moment")

    class Late(Puppet):
        async def terminate(self, reason):
            self.spawn_link(fail)
            await trio.sleep(1)

    async with open_tree(Late) as ref:
        await ref.stop()
        assert await ref.wait() == Normal()
    assert [str(r.exc_info[1]) for r in caplog.records if r.exc_info] == ["in the last moment"]
