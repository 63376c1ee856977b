"""What operators want, what each node's config says, and who has done what."""

import json

import pytest

from nexus_actors.monitoring.audit import PAGE, read_audit
from nexus_actors.monitoring.control import (
    NodeConfig,
    compare,
    read_configs,
    read_control,
    read_providers,
)
from nexus_actors.monitoring.nodes import NodeLine, read_nodes
from nexus_actors.monitoring.reading import LazyReader
from tests.dashboard import HOSTILE, execute, visited

EMPTY = (
    "TRUNCATE nexus.nodes, nexus.looks, nexus.sights; DELETE FROM nexus.control;"
    " TRUNCATE nexus.control_log, nexus.audit RESTART IDENTITY"
)
CHANGES = """
INSERT INTO nexus.control_log (at, by, role, action, subject, name, node, after)
SELECT to_timestamp(2 * n), 'joe', 'owner', 'pause', 'provider', 'p' || n, '*', '{}' FROM generate_series(1, $1::bigint) AS g (n)
"""  # noqa: E501
ENTRIES = """
INSERT INTO nexus.audit (at, by, role, action, subject)
SELECT to_timestamp(2 * n + 1), 'ann', 'owner', 'login', 'p' || n FROM generate_series(1, $1::bigint) AS g (n)
"""  # noqa: E501
NODE = (
    "INSERT INTO nexus.nodes SELECT $1, $1, 'here', '1.0', 7, 'ai_requests', now(),"
    " now() + interval '1 hour', 'ready', NULL, 0, $2::text::jsonb, 0, NULL"
)
SIGHT = (
    "WITH looked AS (INSERT INTO nexus.looks VALUES ($1, 'config', now()) ON CONFLICT DO NOTHING)"
    " INSERT INTO nexus.sights VALUES ($1, 'config', now() + interval '1 hour', $2::text::jsonb)"
)


async def test_what_operators_have_set_is_shown_with_its_author_and_an_action(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    await execute(shared_url, NODE, "one", '{"echo": 16, "openai": 8}')
    await execute(
        shared_url,
        "SELECT nexus.pause('provider', 'echo', why => 'incident 4711', by => 'joe');"
        " SELECT nexus.scale('openai', 4, by => 'ann', until => now() + interval '1 h');"
        " SELECT nexus.drain('one', by => 'ann');"
        " SELECT nexus.log_level('debug', by => 'ann', node => 'one');"
        " INSERT INTO nexus.control (action, subject, name, until) VALUES"
        " ('pause', 'agent', 'batch-*', now() - interval '1 h')",
    )
    rows = await read_control(reader)
    told = {it.description: (it.by, it.node, it.is_over) for it in rows if it.subject != "agent"}
    assert told == {
        "provider echo is paused": ("joe", "*", False),
        "provider openai: 4 concurrent calls": ("ann", "*", False),
        "drained: it begins no call": ("ann", "one", False),
        "log level debug": ("ann", "one", False),
    }
    [agent] = [it for it in rows if it.subject == "agent"]
    assert agent.is_over
    [echo, openai] = await read_providers(reader, ["echo"], rows)
    assert (echo.name, echo.calls, echo.scale) == ("echo", (("one", "16"),), None)
    assert echo.pause is not None
    assert openai.scale is not None
    html = await visited(reader, "/control")
    assert "incident 4711" in html
    assert "</span> expired</span>" in html
    for link in (
        "/act/resume?subject=provider&amp;name=echo",
        "/act/resume?subject=node&amp;name=one",
        "/act/scale?provider=openai",
        "/act/log-level?node=one",
        "/act/pause?subject=provider&amp;name=openai",
        "/act/pause?subject=queue&amp;name=ai_requests",
        "/act/drain?node=one",
    ):
        assert link in html
    assert "/act/" not in await visited(reader, "/control", role="read")


async def test_both_logs_are_one_list_without_a_gap_between_pages(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    for logged in (CHANGES, ENTRIES):
        await execute(shared_url, logged, PAGE)
    first = await read_audit(reader)
    assert len(first.entries) == PAGE
    assert first.older is not None
    second = await read_audit(reader, before=first.older)
    assert second.older is None
    moments = [it.at for it in (*first.entries, *second.entries)]
    assert moments == sorted(moments, reverse=True)
    assert len(set(moments)) == 2 * PAGE
    assert (first.entries[0].action, first.entries[1].action) == ("login", "pause")
    assert first.entries[1].subject == f"provider p{PAGE}"
    html = await visited(reader, "/audit")
    assert f"control={first.older[0]}&amp;acts={first.older[1]}" in html


async def test_an_order_that_the_node_refused_is_marked_in_the_audit(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    await execute(
        shared_url,
        "WITH made AS (INSERT INTO nexus.commands (node, action, actor, by, outcome) VALUES"
        " ('one', 'stop', 'Pipeline', 'ann', 'refused: the others depend on it'),"
        " ('one', 'stop', 'Pruner', 'ann', 'Pruner is stopped') RETURNING number, actor)"
        " INSERT INTO nexus.audit (by, role, action, subject, detail)"
        " SELECT 'ann', 'owner', 'stop', actor, jsonb_build_object('command', number) FROM made"
        " UNION ALL SELECT 'eve', 'owner', 'odd', 'o', jsonb_build_object('command', o.value)"
        ' FROM jsonb_array_elements(\'[1e300, -1, 1.5, null, [1], {"a": 1}, "x"]\') AS o',
    )
    found = (await read_audit(reader)).entries
    assert len(found) == 9
    assert {it.subject: it.refused for it in found} == {
        "Pipeline": "the others depend on it",
        "Pruner": None,
        "o": None,
    }
    html = await visited(reader, "/audit")
    assert html.count("stop refused</th>") == 1
    assert "the others depend on it" in html


async def test_the_audit_is_filtered_by_name_and_action(
    reader: LazyReader, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(shared_url, EMPTY)
    await execute(
        shared_url,
        "SELECT nexus.pause('provider', 'a', by => 'Joe via dashboard');"
        " SELECT nexus.pause('provider', 'a', by => 'ann', why => 'more');"
        " SELECT nexus.resume('provider', 'a', by => 'joe');"
        " SELECT nexus.record('edit', 'letter 7', '{\"changed\": [\"model\"]}', 'joe')",
    )
    joe = await read_audit(reader, by="JOE")
    assert sorted(it.action for it in joe.entries) == ["edit", "end pause", "pause"]
    [change] = (await read_audit(reader, by="ann", action="aus")).entries
    assert (change.action, json.loads(str(change.detail))) == (
        "change pause",
        {"why": "more", "value": "wait"},
    )
    assert (await read_audit(reader, by="%")).entries == ()
    # What a filter has not looked through yet, another page does.
    monkeypatch.setattr("nexus_actors.monitoring.audit.SCANNED", 1)
    page, found = await read_audit(reader, action="pause"), 0
    for _ in range(10):
        found += len(page.entries)
        if page.older is None:
            break
        page = await read_audit(reader, action="pause", before=page.older)
    assert (page.older, found) == (None, 3)


async def test_each_nodes_config_is_asked_for_and_differences_are_reported(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    for name, size in (("one", 100), ("two", 50)):
        await execute(shared_url, NODE, name, "{}")
        values = [
            {"path": "queue.batch_size", "value": size, "source": "file"},
            {"path": "service.name", "value": "nexus", "source": "default"},
            {
                "path": "routes",
                "value": [{"models": ["a/b"]}, {"models": ["c/d"]}],
                "source": "file",
            },
        ]
        body = {
            "file": "/etc/nexus.toml",
            "values": values,
            "left_out": {"openai": "OPENAI_API_KEY is not set"},
            "warnings": [HOSTILE],
        }
        await execute(shared_url, SIGHT, name, json.dumps(body))
    await execute(shared_url, NODE, "three", "{}")
    configs = await read_configs(reader, await read_nodes(reader), "joe")
    assert {it.node.name: it.trouble is None for it in configs} == {
        "one": True,
        "two": True,
        "three": False,
    }
    [size] = compare(configs, "", only_different=True)
    assert size.by_node == (("one", "100", "file"), ("two", "50", "file"))
    assert [it.path for it in compare(configs, "C/D", only_different=False)] == ["routes[1]"]
    assert [it.path for it in compare(configs, "default", only_different=False)] == ["service.name"]
    html = await visited(reader, "/config?filter=queue")
    for told in (
        "nodes differ",
        "OPENAI_API_KEY is not set",
        "/etc/nexus.toml",
        "has not answered",
    ):
        assert told in html
    assert "service.name" not in html
    assert "service.name" in await visited(reader, "/config")


def test_a_setting_that_one_node_lacks_is_a_difference() -> None:
    line = NodeLine(
        node="1",
        name="one",
        host="",
        version="",
        pid=1,
        queue="",
        state="ready",
        why=None,
        beat_age=0.0,
    )
    one = NodeConfig(line, None, (), (), {"a": ("1", "file")}, None)
    two = NodeConfig(line, None, (), (), {"b": ("1", "file")}, None)
    unknown = NodeConfig(line, None, (), (), {}, "it does not answer")
    assert [it.path for it in compare([one, two, unknown], "", only_different=True)] == ["a", "b"]
    assert compare([one, unknown], "", only_different=True) == []


async def test_empty_and_hostile(reader: LazyReader, shared_url: str) -> None:
    await execute(shared_url, EMPTY)
    for url, told in (
        ("/control", "The config applies everywhere"),
        ("/audit", "No entry yet"),
        ("/audit?by=x", "No entry matches"),
        ("/config", "No node is running"),
    ):
        assert told in await visited(reader, url)
    await execute(shared_url, NODE, HOSTILE, json.dumps({HOSTILE: HOSTILE}))
    await execute(shared_url, "SELECT nexus.pause('agent', $1, why => $1, by => $1)", HOSTILE)
    await execute(
        shared_url,
        "SELECT nexus.record('x', $1, jsonb_build_object($1::text, $1::text), $1)",
        HOSTILE,
    )
    values = [{"path": HOSTILE, "value": HOSTILE * 9000, "source": HOSTILE}, 7, {"path": 7}]
    body = {
        "file": HOSTILE,
        "values": values,
        "left_out": {HOSTILE: HOSTILE},
        "warnings": [HOSTILE],
    }
    await execute(shared_url, SIGHT, HOSTILE, json.dumps(body))
    for url in ("/control", "/config", "/audit"):
        html = await visited(reader, url)
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
    wrong = await visited(reader, "/audit?control=-1", status=400)
    assert "expected a whole number" in wrong
    long = await visited(reader, f"/audit?by={'a' * 101}", status=400)
    assert "100 characters" in long
