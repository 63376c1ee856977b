"""The layout on docs/architecture.md names every folder there is, and nothing that is not."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"


def documented() -> Iterator[str]:
    """Paths of the page's layout, folders with a slash at their end."""
    layout = PAGE.read_text("utf-8").split("## Layout")[1]
    (block,) = re.findall(r"```text\n(.*?)```", layout, re.S)
    above: list[str] = []
    for line in block.splitlines():
        found = re.match(r"( *)(\S+)  ", line + "  ")
        assert found is not None, line
        del above[len(found[1]) // 2 :]
        above.append(found[2])
        yield "".join(above)


def test_what_the_layout_names_is_there() -> None:
    for path in documented():
        there = ROOT / path
        assert there.is_dir() if path.endswith("/") else there.is_file(), path


def test_every_package_of_the_service_is_in_the_layout() -> None:
    named = set(documented())
    packages = {f"{it.parent.name}/" for it in (ROOT / "nexus_actors").glob("*/__init__.py")}
    assert {it for it in packages if f"nexus_actors/{it}" not in named} == set()
    modules = {it.name for it in (ROOT / "nexus_actors").glob("*.py")} - {"__init__.py"}
    assert {it for it in modules if f"nexus_actors/{it}" not in named} == set()
