"""Both sources, over a database that refuses, goes away and comes back."""

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.observer import local
from nexus_actors.observer.fleet import FleetSource
from nexus_actors.observer.local import LocalSource
from nexus_actors.observer.row_actions import RestartHere
from nexus_actors.observer.source import Away
from nexus_actors.operations.control_client import ControlError
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.postgres.node_store import NodeStatus, list_nodes
from nexus_actors.storage.postgres.sql import Queues
from tests.observer.fake import NOW, TREE
from tests.unit.parts import settings


def node_status(name: str) -> NodeStatus:
    return NodeStatus(
        node=f"id-{name}",
        name=name,
        host="host",
        version="0.1.0",
        pid=7,
        queue="ai_requests",
        started_at=NOW,
        beat_at=NOW,
        state="ready",
        why=None,
        in_flight=0,
        concurrency={},
        restarts=0,
        last_error=None,
        beat_age=1.0,
        chores=[],
    )


class FakeReader:
    """Knows two nodes, and what they show. `fails` is what everything raises; `refused` are the
    nodes that may not be looked at."""

    def __init__(self) -> None:
        self.queues = Queues.of(settings().queue)
        self.fails: StorageError | None = None
        self.refused: set[str] = set()
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.age = 0.5
        self.recorded: list[tuple[object, ...]] = []
        self.is_silent = False

    async def read(self, name: str, *arguments: object) -> list[dict[str, Any]]:
        return await self.act(name, *arguments)

    async def act(self, name: str, *arguments: object) -> list[dict[str, Any]]:
        await trio.lowlevel.checkpoint()
        if self.is_silent:
            await trio.sleep_forever()
        if self.fails is not None:
            raise self.fails
        if name == "record":
            self.recorded.append(arguments)
            return [{"recorded": ""}]
        node, what = str(arguments[0]), str(arguments[1])
        if node in self.refused:
            raise StorageRefused(f"the database refused: there is no node {node}")
        body = self.bodies.get(what)
        at = None if body is None else NOW
        return [
            {"at": at, "body": None if body is None else local.json_text(body), "age": self.age}
        ]

    async def reading(self, operation: Callable[..., Awaitable[Any]], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if self.fails is not None:
            raise self.fails
        assert operation is list_nodes
        return [node_status("a"), node_status("b")]

    writing = reading


@pytest.mark.parametrize(
    ("fails", "refused"),
    [
        (StorageUnavailable("the connection was lost"), set()),
        (None, {"id-a"}),
        (None, {"id-a", "id-b"}),
    ],
)
async def test_a_look_that_is_refused_or_lost_is_a_line_and_the_next_one_sees(
    fails: StorageError | None, refused: set[str], autojump_clock: Any
) -> None:
    reader = FakeReader()
    reader.bodies["tree"] = {"tree": TREE, "crashes": []}
    fleet = FleetSource(reader, "me")
    assert [it.root for it in await fleet.trees()] == [TREE, TREE]
    reader.fails, reader.refused = fails, refused
    with pytest.raises(Away, match="the connection was lost" if fails else "there is no node"):
        await fleet.trees()
    with pytest.raises(Away):
        await fleet.providers()
    reader.fails, reader.refused = None, set()
    assert [it.name for it in await fleet.trees()] == ["a", "b"]


async def test_a_node_that_shows_nothing_or_nothing_new_says_so(autojump_clock: Any) -> None:
    reader = FakeReader()
    fleet = FleetSource(reader, "me", "a")
    [tree] = await fleet.trees()
    assert (tree.root, tree.why) == (
        None,
        "it shows nothing yet; one of an earlier release never does",
    )
    reader.bodies["tree"], reader.age = {"tree": TREE}, 30.0
    [tree] = await fleet.trees()
    assert tree.why == "it has shown nothing new for 30 s"
    reader.bodies["actor Router"], reader.age = {"error": "no actor is called Router"}, 0.5
    with pytest.raises(Away, match="no actor is called Router"):
        await fleet.actor("id-a", "Router")
    assert "traced at its node" in (await fleet.trace("id-a", "Router")).ended


class Service:
    """A service behind a control socket."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.is_there = True

    def ask(self, _dir: Path, command: str, arguments: Any = None, *, timeout: float) -> Any:
        self.asked.append((command, arguments))
        if not self.is_there:
            raise ControlError("no service runs here")
        return {
            "status": {"instance": "node-1"},
            "tree": TREE,
            "restart": {"actor": "Router", "ended": True},
            "trace": {"events": [[1, NOW.timestamp(), "got Run"]], "ended": ""},
        }[command]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    it = Service()
    monkeypatch.setattr(local.control_client, "ask", it.ask)
    return it


async def test_a_restart_here_is_on_record_before_it_is_done(service: Service) -> None:
    reader = FakeReader()
    here = LocalSource(Path(tempfile.gettempdir()), reader, "me@host")
    assert await here.act(RestartHere(actor="Router", now=True)) == "Router is started anew"
    assert reader.recorded == [("restart", "Router on node-1", '{"now": true}', "me@host")]
    assert service.asked[-1] == ("restart", {"actor": "Router", "now": True, "by": "me@host"})


@pytest.mark.parametrize("is_silent", [False, True])
async def test_without_a_database_it_is_restarted_all_the_same_and_that_is_said(
    service: Service, is_silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PATIENCE", 0.05)
    reader = FakeReader()
    reader.is_silent, reader.fails = is_silent, StorageUnavailable("the database is away")
    here = LocalSource(Path(tempfile.gettempdir()), reader, "me@host")
    said = await here.act(RestartHere(actor="Router", now=False))
    why = "the database did not answer in time" if is_silent else "the database is away"
    assert said == f"Router is started anew; not on record: {why}"
    assert service.asked[-1] == ("restart", {"actor": "Router", "now": False, "by": "me@host"})


async def test_a_service_that_is_gone_is_a_line_and_comes_back(service: Service) -> None:
    reader = FakeReader()
    here = LocalSource(Path(tempfile.gettempdir()), reader, "me@host")
    service.is_there = False
    with pytest.raises(Away, match="no service runs here"):
        await here.trees()
    with pytest.raises(Away, match="no service runs here"):
        await here.act(RestartHere(actor="Router", now=False))
    assert reader.recorded == []  # nothing was done
    service.is_there = True
    assert [it.root for it in await here.trees()] == [TREE]
    traced = await here.trace("", "Router")
    assert [(it.at, it.what) for it in traced.lines] == [(NOW + timedelta(), "got Run")]
