"""The live tree of a node: being looked at, the node shows it."""

import json
import time

import pytest

from nexus_actors.monitoring.nodes import Sight, look
from nexus_actors.monitoring.reading import LazyReader
from nexus_actors.storage.errors import StorageRefused
from tests.dashboard import HOSTILE, execute, value, visited

EMPTY = "TRUNCATE nexus.nodes, nexus.looks, nexus.sights, nexus.commands, nexus.audit"
ONE, TWO = "0a1b2c3d-0001", "0a1b2c3d-0002"
Body = dict[str, object]


def actor(name: str, *children: Body, **changes: object) -> Body:
    """As a sight has it."""
    usual: Body = {
        "name": name,
        "class_name": "Some",
        "type": "supervisor" if children else "worker",
        "status": "idle",
        "pid": 7,
        "restarts": 0,
        "recent_restarts": 0,
        "max_restarts": 3 if children else None,
        "mailbox_length": 0,
        "current_message": None,
        "since": None,
        "started_at": 1.0,
        "uptime": 4000.0,
        "children": list(children),
    }
    return {**usual, **changes}


async def nodes(url: str, **states: str) -> None:
    """Empty tables, and nodes that have just beaten."""
    await execute(url, EMPTY)
    for name, state in states.items():
        await execute(
            url,
            "INSERT INTO nexus.nodes SELECT $1, $2, 'here', '1.0', 7, 'ai_requests', now(),"
            " now() + interval '1 hour', $3, NULL, 0, '{}', 0, NULL",
            {"one": ONE, "two": TWO}[name],
            name,
            state,
        )


async def shows(url: str, what: str, body: Body, *, node: str = ONE, age: float = -3600) -> None:
    """What a node wrote so many seconds ago."""
    await execute(
        url,
        "WITH looked AS (INSERT INTO nexus.looks VALUES ($1, $2, now()) ON CONFLICT DO NOTHING)"
        " INSERT INTO nexus.sights"
        " VALUES ($1, $2, now() - make_interval(secs => $3), $4::text::jsonb)",
        node,
        what,
        age,
        json.dumps(body),
    )


async def test_who_looks_keeps_the_node_showing_it(reader: LazyReader, shared_url: str) -> None:
    await nodes(shared_url, one="ready")
    assert await look(reader, ONE, "tree", "joe") is None
    await shows(shared_url, "tree", {"tree": actor("Root")}, age=60)
    found = await look(reader, ONE, "tree", "joe")
    assert isinstance(found, Sight)
    assert not found.is_fresh
    assert found.body["tree"]["name"] == "Root"
    with pytest.raises(StorageRefused, match="no node"):
        await look(reader, "nobody", "tree", "joe")
    html = await visited(reader, f"/tree?node={ONE}")
    assert "the node does not answer; this is its last report, 1 min" in html
    assert ">Root</a>" in html
    rows = await reader.read("nodes", 10)
    assert [(it["node"], it["state"]) for it in rows] == [(ONE, "ready")]


async def test_a_tree_is_shown_with_what_is_wrong_in_it(
    reader: LazyReader, shared_url: str
) -> None:
    await nodes(shared_url, one="ready", two="stopped")
    workers = [
        actor("Worker.1", status="restarting", pid=None),
        actor("Worker.2", restarts=1, uptime=20.0),
        actor("Worker.3", mailbox_length=120),
    ]
    tree = {
        "tree": actor("Root", actor("Pool", *workers)),
        "crashes": [
            {
                "at": "2026-03-10T12:00:00+00:00",
                "actor": "Worker.1",
                "reason": "ValueError",
                "text": "Traceback…",
            },
        ],
    }
    await shows(shared_url, "tree", tree)
    await execute(
        shared_url, "SELECT nexus.command($1, 'restart', 'Pool', why => 'stuck', by => 'joe')", ONE
    )
    html = await visited(reader, "/tree")
    assert "<title>Tree" in html
    for told in (
        "restarting",
        "restarted recently",
        "mailbox fills",
        "3 below",
        "5 actors, 3 need",
    ):
        assert told in html
    for told in (
        "Worker.1: ValueError",
        "restart Pool",
        "not accepted yet",
        f"/act/reload?node={ONE}",
    ):
        assert told in html
    assert "/act/" not in await visited(reader, "/tree", role="read")
    html = await visited(reader, f"/tree?node={TWO}")
    assert "the node is stopped" in html
    assert "Nothing to show yet" in html


async def test_one_actor_is_shown_from_within(reader: LazyReader, shared_url: str) -> None:
    await nodes(shared_url, one="ready")
    await shows(shared_url, "tree", {"tree": actor("Root", actor("Router", mailbox_length=3))})
    state = {
        "name": "Router",
        "class": "Router",
        "sys_state": "running",
        "state": "{'waiting': 3}",
        "mailbox_length": 3,
        "links": ["Root"],
        "calls": 30,
        "casts": 0,
        "infos": 0,
        "seconds": 0.5,
        "counted_for": 10.0,
    }
    await shows(shared_url, "actor Router", state)
    await shows(shared_url, "actor Gone", {"error": "no actor is called Gone"})
    await shows(
        shared_url, "actor Root", {**state, "name": "Root", "sys_state": "busy", "state": None}
    )
    html = await visited(reader, "/tree?actor=Router")
    assert "<title>Actor Router" in html
    for told in ("{&#39;waiting&#39;: 3}", "30 calls", "3.0 per second", "/act/restart?node="):
        assert told in html
    html = await visited(reader, "/tree?actor=Gone")
    assert "no actor is called Gone" in html
    assert "not in the node&#39;s tree" in html
    html = await visited(reader, "/tree?actor=Root")
    assert "it is busy with a message" in html
    # Each page that is shown looks, in the name of who is shown it.
    seen = "SELECT string_agg(what || ' by ' || by, ', ' ORDER BY what) FROM nexus.looks"
    assert await value(shared_url, seen) == (
        "actor Gone by local via dashboard, actor Root by local via dashboard,"
        " actor Router by local via dashboard, tree by local via dashboard"
    )


async def test_what_a_query_string_must_not_ask(reader: LazyReader, shared_url: str) -> None:
    await nodes(shared_url)
    html = await visited(reader, "/tree")
    assert "No node has reported yet" in html
    assert "no such node" in await visited(reader, "/tree?node=nobody", status=404)
    await nodes(shared_url, one="ready")
    long = await visited(reader, f"/tree?actor={'a' * 256}", status=400)
    assert "255 characters" in long


async def test_strangers_texts_are_shown_as_texts(reader: LazyReader, shared_url: str) -> None:
    await nodes(shared_url, one="ready")
    evil = actor(
        HOSTILE,
        actor(HOSTILE),
        class_name=HOSTILE,
        status=HOSTILE,
        current_message=HOSTILE,
        since=time.time(),
    )
    crash = {"at": HOSTILE, "actor": HOSTILE, "reason": HOSTILE, "text": HOSTILE * 1000}
    await shows(shared_url, "tree", {"tree": evil, "crashes": [crash] * 30})
    await shows(
        shared_url,
        "actor X",
        {"state": HOSTILE * 20_000, "links": [HOSTILE] * 500, "sys_state": HOSTILE},
    )
    html = await visited(reader, "/tree")
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    html = await visited(reader, "/tree?actor=X")
    assert "more characters are not shown" in html
    await execute(shared_url, 'UPDATE nexus.sights SET body = \'{"tree": [[7]], "crashes": {}}\'')
    await visited(reader, "/tree")
