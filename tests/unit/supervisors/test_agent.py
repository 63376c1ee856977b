"""Agents: state behind functions."""

from functools import partial

import pytest
import trio

from supervisors import (
    Agent,
    BadReturnValue,
    CallTimeout,
    ChildSpec,
    Crashed,
    FailedToStartChild,
    GenServer,
    NoProcess,
    Registry,
    ServerExited,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import child


def put(state, key, value):
    return {**state, key: value}


def pop(state, key):
    rest = dict(state)
    return rest.pop(key, None), rest


def same(state):
    return state


def boom(_):
    raise ValueError("boom")


async def test_update_get_and_get_and_update(autojump_clock):
    async with open_tree(lambda: Agent(dict)) as agent:
        assert await Agent.update(agent, lambda state: put(state, "hello", "world")) is None
        assert await Agent.get(agent, lambda state: state["hello"], timeout=3.0) == "world"
        assert await Agent.get_and_update(agent, lambda state: pop(state, "hello")) == "world"
        assert await Agent.get(agent, same) == {}
        await agent.stop()
        with pytest.raises(NoProcess):
            await Agent.get(agent, same)


async def test_under_a_name_with_casts(autojump_clock):
    names = Registry("names")
    spec = ChildSpec("agent", lambda: Agent(dict), name=names.via("agent"))
    async with open_tree(lambda: Supervisor([names.child_spec(), spec])):
        agent = names.via("agent")
        Agent.cast(agent, lambda state: put(state, "hello", "world"))
        assert await Agent.get(agent, same) == {"hello": "world"}


async def test_updates_come_one_after_the_other(autojump_clock):
    async with open_tree(lambda: Agent(int)) as agent, trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(Agent.update, agent, lambda n: n + 1)
            Agent.cast(agent, lambda n: n + 1)
        await trio.sleep(1)
        assert await Agent.get(agent, same) == 200


CALLS = pytest.mark.parametrize("call", [Agent.get, Agent.update, Agent.get_and_update])


@CALLS
async def test_a_function_that_raises_ends_the_agent_and_fails_the_call(autojump_clock, call):
    async with open_tree(lambda: Supervisor([ChildSpec("agent", lambda: Agent(int))])) as top:
        agent = await child(top, "agent")
        await Agent.update(agent, lambda n: n + 1)
        with pytest.raises(ServerExited) as info:
            await call(agent, boom)
        assert isinstance(info.value.__cause__, ValueError)
        await trio.sleep(0.1)
        assert await Agent.get(await child(top, "agent"), same) == 0  # a restart begins anew


async def test_a_cast_function_that_raises_ends_the_agent(autojump_clock):
    async with open_tree(lambda: Agent(int)) as agent:
        Agent.cast(agent, boom)
        match await agent.wait():
            case Crashed(ValueError()):
                pass
            case other:
                pytest.fail(f"{other}")


@pytest.mark.parametrize("value", [1, "ab", (1, 2, 3), None])
async def test_get_and_update_wants_a_pair(autojump_clock, value):
    async with open_tree(lambda: Agent(int)) as agent:
        with pytest.raises(ServerExited) as info:
            await Agent.get_and_update(agent, lambda _: value)
        assert isinstance(info.value.__cause__, BadReturnValue)


async def test_a_state_that_cannot_be_made_is_a_failed_start(autojump_clock):
    with pytest.raises(FailedToStartChild) as info:
        async with open_tree(lambda: Agent(partial(int, "x"))):
            pytest.fail("it started")
    assert isinstance(info.value.__cause__, ValueError)


async def test_it_can_be_supervised_directly_and_made_more_of(autojump_clock):
    class Busy(Agent[int]):
        _state = _initial = "its own"

        async def handle_info(self, info):
            await trio.sleep(info)

    async with open_tree(lambda: Supervisor([ChildSpec("busy", lambda: Busy(int))])) as top:
        agent = await child(top, "busy")
        agent.send(10)
        with pytest.raises(CallTimeout):
            await Busy.get(agent, same, timeout=1.0)
        assert await Busy.get(agent, same, timeout=20.0) == 0


async def test_what_is_not_for_an_agent_is_refused_as_by_any_server(autojump_clock):
    class Plain(GenServer):
        pass

    for make in (lambda: Agent(int), Plain):
        async with open_tree(make) as server:
            server.cast("what?")
            match await server.wait():
                case Crashed(NotImplementedError()):
                    pass
                case other:
                    pytest.fail(f"{other}")
