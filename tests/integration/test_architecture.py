"""The tree of docs/architecture.md is the tree of a running service."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from nexus_actors.application import Application
from nexus_actors.operations.instance import claim_instance
from nexus_actors.operations.service_manager import Notifier
from supervisors import Node, open_tree, tree
from tests.service import settings_for

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
PROVIDER = "one"
"""For NAME on the page."""
OF_ONE_KIND = f"{PROVIDER}.Server"
"""Only the kind `local` has one; it needs weights. tests/integration/providers/test_local.py."""


def documented() -> list[tuple[int, str]]:
    """Each line of the page's tree: how deep it stands, and whose it is."""
    (block,) = re.findall(r"```text\n(Nexus\.Supervisor.*?)```", PAGE.read_text("utf-8"), re.S)
    found = [re.match(r"((?:│  |   |├─ |└─ )*)(\S+)", line) for line in block.splitlines()]
    return [(len(it[1]) // 3, it[2].replace("NAME", PROVIDER)) for it in found if it is not None]


def flat(node: Node, depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, node.name
    for child in node.children:
        yield from flat(child, depth + 1)


async def test_the_tree_on_the_page_is_the_tree_that_runs(
    database_url: str, tmp_path: Path
) -> None:
    """With everything that is optional, and one provider with one worker."""
    settings = settings_for(
        database_url,
        tmp_path,
        admin={"listen": "127.0.0.1:0"},
        result_poller={"enabled": True},
        providers={PROVIDER: {"kind": "echo", "pool_size": 1, "requests_per_minute": 60}},
        routes=[{"complexity": "*", "task_type": "*", "models": [f"{PROVIDER}/m"]}],
    )
    with (
        claim_instance(tmp_path) as instance,
        closing(Notifier(str(tmp_path / "nobody-listens"))) as notifier,
    ):
        application = Application(settings, instance, notifier=notifier)
        with application.observing():
            async with open_tree(application.supervisor) as root:
                running = list(flat(await tree(root)))
    shown = documented()
    assert (4, OF_ONE_KIND) in shown
    assert [it for it in shown if it[1] != OF_ONE_KIND] == running
