"""What a hostile reading of the core has brought to light."""

import gc
import logging
import weakref
from dataclasses import dataclass
from functools import partial

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallingSelf,
    CallTimeout,
    ChildSpec,
    Continue,
    Crashed,
    GenServer,
    NoProcess,
    NoReply,
    Normal,
    Reply,
    ServerExited,
    Shutdown,
    Supervisor,
    errors,
    open_tree,
)
from supervisors.errors import describe
from supervisors.testing import supervised
from tests.unit.supervisors.actors import Do, Puppet, child, puppet


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")


async def test_an_exception_that_cannot_say_what_it_is_ends_no_more_than_its_actor(autojump_clock):
    def fail(_):
        raise Mute

    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        before = await child(top, "a")
        with pytest.raises(ServerExited) as caught:
            await before.call(Do(fail))
        assert isinstance(caught.value.__cause__, Mute)
        await trio.sleep(0.1)
        assert await child(top, "a") != before


def test_a_detail_that_cannot_say_what_it_is_is_described():
    assert errors.describe(Shutdown(Mute())) == "Mute: (its str() raised RuntimeError)"


async def test_a_format_status_that_gives_no_status_does_not_end_the_supervisor(autojump_clock):
    class Wrong(Puppet):
        def format_status(self, status):
            return {"depth": 1}

    async with open_tree(lambda: Supervisor([ChildSpec("a", Wrong)])) as top:
        before = await child(top, "a")
        before.cast(None)  # not callable: it crashes
        await before.wait()
        await trio.sleep(0.1)
        assert await child(top, "a") != before
    assert before._process.crash_status.state["label"] == "str"


async def test_a_linked_task_is_called_as_its_function_without_its_arguments(autojump_clock):
    async def fetch(card):
        await trio.lowlevel.checkpoint()

    names = []
    async with supervised(Puppet) as ref:
        bound = partial(partial(fetch), card="secret")
        await ref.call(Do(lambda me: names.append(me.spawn_link(bound).name)))
    assert len(names) == 1
    assert names[0].endswith("fetch")


@dataclass
class Login(GenServer):
    password: str

    async def handle_cast(self, message):
        raise RuntimeError("boom")


async def test_an_actor_that_is_started_again_does_not_show_its_state(autojump_clock, caplog):
    same = Login("hunter2")
    spec = ChildSpec("a", lambda: same)
    with caplog.at_level(logging.DEBUG):
        async with open_tree(lambda: Supervisor([spec], max_restarts=1)) as top:
            same.ref.cast(None)
            await top.wait()
    assert "Login" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_is_no_specification_is_told_by_its_type():
    with pytest.raises(errors.InvalidStart, match="Login") as caught:
        ChildSpec("a", Login("hunter2"))
    assert "hunter2" not in str(caught.value)


async def test_a_terminate_that_raises_the_crash_again_makes_no_circle_of_it(autojump_clock):
    class Again(Puppet):
        async def terminate(self, reason):
            raise reason.exception

    async with open_tree(Again) as ref:
        ref.cast(None)
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert reason.exception.__context__ is None


class EqualToAll:
    """Like `unittest.mock.ANY`."""

    def __eq__(self, other):
        return True

    __hash__ = None


async def test_a_flush_takes_the_down_and_not_what_claims_to_equal_it(autojump_clock):
    async def watch(me):
        me.send_after(0, EqualToAll())
        await trio.sleep(1)  # so that it comes before the Down
        monitor = me.monitor(other)
        await other.stop()
        await trio.sleep(1)
        me.demonitor(monitor, flush=True)

    async with supervised(Puppet) as other, supervised(Puppet) as ref:
        await ref.call(Do(watch))
        got = await ref.call(Do(lambda me: me.got))
    assert [type(info) for info in got] == [EqualToAll]


async def test_one_that_only_continues_lets_others_run(autojump_clock):
    class Counting(Puppet):
        async def handle_continue(self, argument):
            self.journal.append(argument)
            return Continue(argument - 1) if argument else None

    journal = []
    async with open_tree(lambda: Counting("a", journal)) as ref:
        await ref.call(Do(lambda _: Reply(None, continue_with=10_000)))
        await trio.lowlevel.checkpoint()
        ref.kill()
        await ref.wait()
    assert 0 < len(journal) < 10_000


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


async def test_a_call_that_failed_leaves_nothing_of_its_caller_behind(autojump_clock):
    class Local:
        pass

    async def give_up(ref):
        local = Local()
        with pytest.raises(CallTimeout):
            await ref.call(Do(lambda _: NoReply()), timeout=1.0)
        return weakref.ref(local)

    async with supervised(Puppet) as ref:
        gc.disable()
        try:
            assert (await give_up(ref))() is None
        finally:
            gc.enable()


async def test_one_that_was_given_up_neither_links_nor_monitors(autojump_clock):
    outcome = []

    async def outlive(me):
        with trio.CancelScope(shield=True):
            await trio.sleep(60)
        for tie in (me.monitor, me.link):
            with pytest.raises(NoProcess):
                tie(other)
            outcome.append(tie.__name__)

    async with supervised(Puppet) as other:
        async with open_tree(lambda: Supervisor([puppet("a")])) as top:
            ref = await child(top, "a")
            ref.cast(outlive)
            await trio.sleep(1)
            await Supervisor.terminate_child(top, "a")
            assert not ref.is_alive
            await trio.sleep(100)
        assert outcome == ["monitor", "link"]
        assert not other._process.watchers
        assert not other._process.links


async def test_a_supervisor_whose_child_fails_to_start_lets_others_run(autojump_clock):
    starts = []

    def start():
        starts.append(None)
        if len(starts) > 1:
            raise RuntimeError("cannot start again")
        return Puppet()

    spec = ChildSpec("a", start)
    async with open_tree(lambda: Supervisor([spec], max_restarts=1_000, max_seconds=60)) as top:
        (await child(top, "a")).kill()
        while len(starts) < 2:
            await trio.lowlevel.checkpoint()
        top.kill()
        await top.wait()
    assert len(starts) < 1_000


def test_a_detail_that_is_no_word_is_told_by_its_type():
    assert describe(Shutdown("enough")) == "shutdown (enough)"
    assert describe(Shutdown(7)) == "shutdown (7)"
    assert "canary" not in describe(Shutdown({"token": "canary"}))


async def test_a_root_made_by_a_lambda_is_called_root():
    async with open_tree(lambda: Supervisor([])) as top:
        assert top.name == "root"
    async with open_tree(Puppet) as top:
        assert top.name == "Puppet"


async def test_who_waits_for_itself_is_told(autojump_clock):
    class Waits(GenServer):
        async def handle_call(self, request, caller):
            try:
                await self.ref.wait()
            except CallingSelf as error:
                return Reply(str(error))

    async with open_tree(Waits) as ref:
        assert "cannot call itself" in await ref.call("now")
