"""What the README shows is so."""

import re
import tomllib
from pathlib import Path
from typing import Any

from nexus_actors.cli.exit_codes import MEANING
from nexus_actors.client import LLMService
from nexus_actors.settings import Settings, parse_settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_runtime_example_runs(capsys: Any) -> None:
    (example,) = (
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "open_tree" in block
    )
    exec(compile(example, "README.md", "exec"), {"__name__": "example"})  # noqa: S102 - ours
    assert capsys.readouterr().out == "2\n"


def test_the_client_example_compiles_and_names_what_there_is() -> None:
    (example,) = (
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "LLMService" in block
    )
    compile(example, "README.md", "exec")
    for method in re.findall(r"service\.(\w+)\(", example):
        assert hasattr(LLMService, method), method


def test_the_config_of_a_server_of_ones_own_is_whole() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    settings = parse_settings(tomllib.loads(example), {})
    assert isinstance(settings, Settings), settings
    assert (list(settings.providers), settings.warnings) == (["gpu_box"], ())


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


def test_files_that_the_docs_name_are_there() -> None:
    rooms = ("", "nexus_actors", "nexus_actors/providers", "nexus_actors/storage", "tests")
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (page.name, name)
        for page in pages
        for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|sql|md|toml))`", page.read_text())
    }
    assert len(named) > 50
    lost = [it for it in named if not any((ROOT / room / it[1]).exists() for room in rooms)]
    assert lost == []
