"""The tree's page, of a node that wrote a great tree; and a database that is not there."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
import trio

from nexus_actors.dashboard.pages import tree
from nexus_actors.monitoring import nodes
from nexus_actors.monitoring.reading import OPEN_TIMEOUT, LazyReader
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.sql import Queues
from tests.unit.dashboard.asgi import FakeReader


async def test_a_tree_is_read_and_built_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def noting(function: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            threads.append(threading.current_thread())
            return function(*arguments)

        return noted

    monkeypatch.setattr(nodes, "parsed", noting(nodes.parsed))
    monkeypatch.setattr(tree, "read_tree", noting(tree.read_tree))
    reader = FakeReader()
    row = {"at": datetime.now(UTC), "age": 0.1, "body": '{"tree": {"name": "root"}, "crashes": []}'}
    reader.rows["nodes_look"] = [row]
    sight = await nodes.look(reader, "a", "tree", "joe")
    assert await tree._tree(sight) is not None
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_a_database_that_does_not_answer_is_reported_before_the_page_is_cut(
    autojump_clock: object,
) -> None:
    reader = LazyReader(lambda: "postgresql:///", Queues(), command_timeout=1.0)
    began = trio.current_time()
    with pytest.raises(StorageUnavailable, match="no connection to it within 3 s"):
        await reader.read("nodes", 1)  # nobody runs it, so it never connects
    assert trio.current_time() - began == OPEN_TIMEOUT
