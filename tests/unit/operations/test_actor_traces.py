"""A trace tells types, is bounded, and ends by itself with the true reason."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from nexus_actors.operations.actor_traces import (
    LONGEST,
    MOST_EVENTS,
    MOST_TRACES,
    UNSEEN,
    ActorTraces,
)
from nexus_actors.operations.control import CommandRefused
from supervisors import ActorRef, Call, ChildSpec, GenServer, Reply, Supervisor, open_tree
from tests.service import find


class Ask(Call[str]):
    """Answered with a text that must not be told."""


class Secretive(GenServer):
    async def handle_call(self, request: Call[Any], caller: object) -> Reply:
        return Reply("sk-secret")

    async def handle_cast(self, message: object) -> None:
        """Nothing."""


@asynccontextmanager
async def traces(actors: int = 1) -> AsyncIterator[tuple[ActorTraces, ActorRef]]:
    children = [ChildSpec(f"A{number}", Secretive) for number in range(actors)]
    async with open_tree(lambda: Supervisor(children, name="Root")) as root:
        yield ActorTraces(lambda: root), await find(root, "A0")


async def told(traces: ActorTraces, name: str = "A0", **more: object) -> tuple[list[str], str]:
    answer: Any = await traces({"actor": name, **more})
    return [what for _, _, what in answer["events"]], answer["ended"]


async def test_types_are_reported_and_never_contents(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        assert await told(asked) == ([], "")
        await actor.call(Ask())
        actor.cast("sk-secret")
        await trio.sleep(1)
        events, ended = await told(asked)
    assert ended == ""
    assert events[0] == "got Ask in handle_call"
    assert events[1].startswith("returned Reply from handle_call after ")
    assert events[2].startswith("got str in handle_cast")
    assert "sk-secret" not in str(events)


async def test_the_last_events_are_kept(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        await told(asked)
        for _ in range(MOST_EVENTS):
            await actor.call(Ask())
        answer: Any = await asked({"actor": "A0"})
    numbers = [number for number, _, _ in answer["events"]]
    assert numbers == list(range(MOST_EVENTS + 1, 2 * MOST_EVENTS + 1))


async def test_one_that_is_asked_for_lasts_its_time_and_says_so_once(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        began = trio.current_time()
        while not (last := await told(asked))[1]:
            await trio.sleep(0.7 * UNSEEN)  # at no moment at which it would end
        assert last == ([], f"it was traced for {LONGEST:.0f} s")
        assert LONGEST <= trio.current_time() - began <= LONGEST + UNSEEN
        await actor.call(Ask())
        assert await told(asked) == ([], "")  # begun anew
        await actor.call(Ask())
        assert len((await told(asked))[0]) == 2


async def test_one_that_nobody_asks_for_ends_and_says_why(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        await told(asked)
        await trio.sleep(UNSEEN + 1)
        await actor.call(Ask())
        assert await told(asked) == ([], f"nobody asked for it for {UNSEEN:.0f} s")


async def test_it_ends_with_the_actor_or_when_it_is_ended(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        await told(asked)
        assert await told(asked, end=True) == ([], "it was ended")
        await actor.call(Ask())
        assert await told(asked) == ([], "")
        actor.kill()
        await actor.wait()
        assert (await told(asked))[1] == "the actor has ended"
        assert await told(asked, end=True) == ([], "it was ended")


async def test_so_many_at_once_and_room_again_when_they_have_ended(autojump_clock: Any) -> None:
    async with traces(MOST_TRACES + 1) as (asked, _):
        for number in range(MOST_TRACES):
            await told(asked, f"A{number}")
        with pytest.raises(CommandRefused, match=f"{MOST_TRACES} actors are traced already"):
            await told(asked, f"A{MOST_TRACES}")
        await trio.sleep(2 * UNSEEN + 1)
        assert await told(asked, f"A{MOST_TRACES}") == ([], "")


async def test_two_who_ask_at_once_share_one_trace(autojump_clock: Any) -> None:
    async with traces() as (asked, actor):
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(told, asked)
        await actor.call(Ask())
        assert len((await told(asked))[0]) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "expected a name"),
        ({"actor": 3}, "expected a name"),
        ({"actor": "A0", "end": "yes"}, "expected a name"),
        ({"actor": "A9"}, "no actor is called A9"),
    ],
)
async def test_what_cannot_be_traced_is_refused(arguments: dict[str, object], why: str) -> None:
    async with traces() as (asked, _):
        with pytest.raises(CommandRefused, match=why):
            await asked(arguments)
