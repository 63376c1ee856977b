"""What is live: rendered once for all, and never more than it may cost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from nexus_actors.dashboard import live
from nexus_actors.dashboard.live import EVERY, Full, Hub, Topic, Watching
from nexus_actors.dashboard.visit import PageError
from nexus_actors.storage.errors import StorageUnavailable

TOPIC = Topic("/", "read")


class Rendered:
    """What is rendered, and how often."""

    def __init__(self, *answers: Any, cost: float = 0.0) -> None:
        self.answers = list(answers)
        self.cost = cost
        self.times: list[float] = []

    async def __call__(self, topic: Topic) -> str:
        self.times.append(trio.current_time())
        await trio.sleep(self.cost)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return f"{answer} {topic.here}"


@asynccontextmanager
async def running(rendered: Rendered) -> AsyncIterator[Hub]:
    hub = Hub(rendered)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub
        nursery.cancel_scope.cancel()


async def told(watching: Watching) -> tuple[str, Any]:
    """The next event that says something."""
    while (event := await watching.next()).startswith(":"):
        pass
    if not event:
        return "", None
    name, data = event.removesuffix("\n\n").split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_all_who_look_at_the_same_share_one_rendering(autojump_clock: object) -> None:
    rendered = Rendered("one", "two")
    async with running(rendered) as hub:
        many = [hub.enter(TOPIC, "joe") for _ in range(50)]
        await trio.testing.wait_all_tasks_blocked()
        for expected in ("one /", "two /"):
            for watching in many:
                name, data = await told(watching)
                assert (name, data["html"]) == ("part", expected)
    assert len(rendered.times) == 2


async def test_what_has_not_changed_is_not_sent_again(autojump_clock: object) -> None:
    async with running(Rendered("same")) as hub:
        watching = hub.enter(TOPIC, "joe")
        assert (await told(watching))[0] == "part"
        assert (await told(watching))[0] == "same"


async def test_who_comes_later_has_all_at_once(autojump_clock: object) -> None:
    async with running(Rendered("same")) as hub:
        first = hub.enter(TOPIC, "joe")
        await told(first)
        await told(first)
        at = trio.current_time()
        assert (await told(hub.enter(TOPIC, "joe")))[0] == "part"
        assert trio.current_time() == at


async def test_a_slow_one_is_given_the_newest_and_never_less_than_all(
    autojump_clock: object,
) -> None:
    async with running(Rendered("one", "two", "three")) as hub:
        watching = hub.enter(TOPIC, "joe")
        await trio.sleep(10 * EVERY)
        name, data = await told(watching)
        assert (name, data["html"]) == ("part", "three /")


async def test_rendering_takes_a_thirtieth_of_the_time_at_most(autojump_clock: object) -> None:
    rendered = Rendered("x", cost=0.5)
    async with running(rendered) as hub:
        hub.enter(TOPIC, "joe")
        await trio.sleep(100)
    gaps = [
        after - before for before, after in zip(rendered.times, rendered.times[1:], strict=False)
    ]
    assert gaps[0] == pytest.approx(EVERY)  # the first connects, too
    assert min(gaps[1:]) == pytest.approx(live.TIMES * 0.5)


async def test_it_is_rendered_no_more_when_nobody_looks(autojump_clock: object) -> None:
    rendered = Rendered("x")
    async with running(rendered) as hub:
        watching = hub.enter(TOPIC, "joe")
        await told(watching)
        hub.leave(TOPIC, watching)
        await trio.sleep(100)
        assert len(rendered.times) == 1
        assert (await told(hub.enter(TOPIC, "joe")))[0] == "part"


async def test_there_is_room_for_so_many_and_again_when_one_leaves() -> None:
    async with running(Rendered("x")) as hub:
        many = [hub.enter(TOPIC, "joe") for _ in range(live.MOST_VIEWERS)]
        with pytest.raises(Full):
            hub.enter(TOPIC, "joe")
        hub.leave(TOPIC, many.pop())
        hub.enter(TOPIC, "joe")


async def test_there_are_only_so_many_topics() -> None:
    async with running(Rendered("x")) as hub:
        for number in range(live.MOST_TOPICS):
            hub.enter(Topic(f"/{number}", "read"), str(number))
        with pytest.raises(Full):
            hub.enter(Topic("/more", "read"), "joe")
        hub.enter(Topic("/1", "read"), "joe")


async def test_a_database_that_is_away_is_reported_and_it_goes_on(autojump_clock: object) -> None:
    async with running(Rendered("one", StorageUnavailable("away"), "one")) as hub:
        watching = hub.enter(TOPIC, "joe")
        assert (await told(watching))[0] == "part"
        assert await told(watching) == ("trouble", {"why": "away"})
        assert (await told(watching))[0] == "part"


async def test_a_page_that_fails_is_its_own_fault(autojump_clock: object) -> None:
    async with running(Rendered(ZeroDivisionError("a secret"), "one")) as hub:
        watching = hub.enter(TOPIC, "joe")
        assert await told(watching) == ("trouble", {"why": "it could not be made"})
        assert (await told(watching))[0] == "part"


async def test_what_cannot_be_asked_ends(autojump_clock: object) -> None:
    async with running(Rendered(PageError(400, "no such window"))) as hub:
        watching = hub.enter(TOPIC, "joe")
        assert await told(watching) == ("end", {"why": "no such window"})
        assert await told(watching) == ("", None)


async def test_with_the_server_all_ends_and_begins_anew(autojump_clock: object) -> None:
    hub = Hub(Rendered("x"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        watching = hub.enter(TOPIC, "joe")
        assert (await told(watching))[0] == "part"
        nursery.cancel_scope.cancel()
    assert (await told(watching))[0] == "end"
    hub.leave(TOPIC, watching)
    early = hub.enter(TOPIC, "joe")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        assert (await told(early))[0] == "part"
        nursery.cancel_scope.cancel()


async def test_who_is_told_nothing_is_told_that(autojump_clock: object) -> None:
    assert (await Watching().next()).startswith(":")


async def test_one_reader_leaves_live_pages_to_others(autojump_clock: object) -> None:
    async with running(Rendered("x")) as hub:
        for number in range(live.MOST_OF_ONE):
            hub.enter(Topic(f"/{number}", "read"), "eve")
        with pytest.raises(Full):
            hub.enter(Topic("/", "read"), "eve")
        hub.enter(Topic("/", "read"), "joe")
        hub.enter(Topic("/", "read"), "eve")  # it is rendered for him already


async def test_a_fault_is_noted_once_of_each_page_and_kind(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, str]] = []

    class Log:
        def error(self, _event: str, *, page: str, error: str, exc_info: object) -> None:
            noted.append((page, error))

    monkeypatch.setattr(live, "log", Log())
    async with running(Rendered(ZeroDivisionError("a"))) as hub:
        for here in ("/a?b=1", "/a?b=2", "/c"):
            hub.enter(Topic(here, "read"), "joe")
        await trio.sleep(10 * EVERY)
    assert sorted(noted) == [("/a", "ZeroDivisionError"), ("/c", "ZeroDivisionError")]
