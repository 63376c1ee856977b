"""format_status: what may be shown of an actor's insides."""

from dataclasses import dataclass, replace

import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Crashed,
    Status,
    Supervisor,
    open_tree,
    system,
)
from tests.unit.supervisors.actors import Do, Puppet, child, puppet


@dataclass(frozen=True)
class Order:
    password: str


def test_shapes_are_types_all_the_way():
    status = Status({"a": "secret", 1: None}, Order("secret"))
    assert status.shapes() == Status({"a": "str", "1": "NoneType"}, "Order")
    assert Status("secret").shapes() == Status("str", None)
    assert status.state == {"a": "secret", 1: None}


async def crash(ref):
    """Crash it while it handles a secret; what the report may show."""

    async def fail(me):
        me.label = "at the crash"
        me.got.append("secret")
        raise RuntimeError("boom")

    ref.cast(fail)
    reason = await ref.wait()
    assert isinstance(reason, Crashed)
    status = ref._process.crash_status
    assert status.reason == reason
    return status


async def test_by_default_only_types_are_shown(autojump_clock):
    async with open_tree(puppet("secret")) as ref:
        asked = (await system.get_status(ref)).state
        status = await crash(ref)
    assert asked["label"] == "str"
    assert status.message == "function"
    assert status.state == asked


class Open(Puppet):
    """Shows how much it has got, and nothing else."""

    def format_status(self, status):
        return replace(status.shapes(), state={"depth": len(self.got)})


async def test_an_actor_may_show_more(autojump_clock):
    async with open_tree(Open) as ref:
        await ref.call(Do(lambda me: me.got.append("secret")))
        assert (await system.get_status(ref)).state == {"depth": 1}


async def test_a_crash_shows_the_state_as_it_was_then(autojump_clock):
    class Cleaner(Puppet):
        def format_status(self, status):
            return replace(status.shapes(), state=(self.label, list(self.got)))

        async def terminate(self, reason):
            self.label = "cleaned up"
            self.got.clear()

    async with open_tree(Cleaner) as ref:
        assert ref._process.crash_status is None
        assert (await crash(ref)).state == ("at the crash", ["secret"])
        assert ref._process.actor.label == "cleaned up"


class Faulty(Puppet):
    def format_status(self, status):
        raise LookupError("no status today")


async def test_one_that_raises_is_logged_and_types_are_shown(autojump_clock, caplog):
    async with open_tree(Faulty) as ref:
        name = ref.name
        assert (await system.get_status(ref)).state["label"] == "str"
        assert ref.is_alive
        assert f"{name}: its format_status raised" in caplog.text
        assert "no status today" in caplog.text
        caplog.clear()
        assert (await crash(ref)).state["got"] == "list"
        assert f"{name}: its format_status raised" in caplog.text


async def test_who_stops_has_no_crash_to_show(autojump_clock):
    async with open_tree(Open) as ref:
        await ref.stop()
        assert ref._process.crash_status is None


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
