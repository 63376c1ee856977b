"""What the README and the pages beside it show is so."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from nexus_actors.client import LLMService
from nexus_actors.settings import Settings, parse_settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOOR = ("README.md", *(f"docs/{it}.md" for it in ("getting_started", "send_requests", "elixir")))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"(?m)^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.S)


def test_the_readme_is_a_front_page() -> None:
    lines = README.splitlines()
    assert len(lines) <= 130
    assert [it for it in lines if len(it) > 120] == []


def test_the_picture_of_the_demo_is_small_and_asks_nobody_for_anything() -> None:
    picture = (ROOT / "docs" / "pictures" / "demo.svg").read_text()
    assert len(picture.encode()) < 200_000
    assert set(re.findall(r"(?:url\(|href=)['\"]?(.)", picture)) <= {"#"}


@pytest.mark.parametrize("page", ["README.md", "docs/send_requests.md"])
def test_the_client_examples_compile_and_name_what_there_is(page: str) -> None:
    examples = [it for it in blocks(page, "python") if "LLMService" in it]
    assert examples
    for example in examples:
        compile(example, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for method in re.findall(r"service\.(\w+)\(", example):
            assert hasattr(LLMService, method), method


def test_the_config_of_getting_started_is_whole() -> None:
    (example,) = blocks("docs/getting_started.md", "toml")
    settings = parse_settings(tomllib.loads(example), {})
    assert isinstance(settings, Settings), settings
    assert (list(settings.providers), settings.warnings) == (["gpu_box"], ())


@pytest.mark.parametrize("page", DOOR)
def test_every_file_that_is_linked_is_there(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert (folder / target).exists(), target


def test_files_that_the_docs_name_are_there() -> None:
    rooms = ("", "nexus_actors", "nexus_actors/providers", "nexus_actors/storage", "tests")
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (page.name, name)
        for page in pages
        for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|sql|md|toml))`", page.read_text())
    }
    named = {it for it in named if "acme" not in it[1]}  # those that CONTRIBUTING has one write
    assert len(named) > 50
    lost = [it for it in named if not any((ROOT / room / it[1]).exists() for room in rooms)]
    assert lost == []
