"""What the README shows is so."""

import re
import textwrap
from pathlib import Path
from typing import Any

from nexus_actors.cli.exit_codes import MEANING

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


async def test_the_runtime_example_runs(capsys: Any) -> None:
    (example,) = (
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "open_tree" in block
    )
    space: dict[str, Any] = {}
    head, _, body = example.partition("async with")
    source = head + "async def main():\n" + textwrap.indent("async with" + body, "    ")
    exec(compile(source, "README.md", "exec"), space)  # noqa: S102 - our own README
    await space["main"]()
    assert capsys.readouterr().out == "2\n"


def test_every_exit_code_is_named() -> None:
    (line,) = re.findall(r"Exit codes: (.*?)\n\n", README, re.S)
    assert set(map(int, re.findall(r"\b\d+\b", line))) == set(MEANING)


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (block,) = re.findall(r"\ndependencies = \[(.*?)\]", project, re.S)
    table = README[README.index("## Dependencies") :]
    for name in re.findall(r'"([a-z0-9-]+)', block):
        assert name in table, name
