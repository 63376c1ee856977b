"""Every snippet of README and docs is what its language says."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.client import LLMService
from tests.docs.console import console_mistakes
from tests.docs.other_snippets import (
    ALONE,
    ELIXIR,
    PROMTOOL,
    elixir_mistakes,
    promql_mistakes,
)
from tests.docs.pages import Page, pages
from tests.docs.python_snippets import RUNTIME_PAGES, python_mistakes
from tests.docs.sandbox import ANSWERED, Sandbox
from tests.docs.sql_snippets import sql_mistakes
from tests.docs.toml_snippets import toml_mistakes

PAGES = pages()


def with_some(*languages: str) -> pytest.MarkDecorator:
    """A test for each page that has snippets of these languages."""
    found = [page for page in PAGES if page.of(*languages)]
    return pytest.mark.parametrize("page", found, ids=lambda it: it.name)


def none_of(mistakes: Sequence[str]) -> None:
    """Each is told on a line of its own."""
    assert not mistakes, "\n".join(["", *mistakes])


def test_the_pages_are_found() -> None:
    names = {it.name for it in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/operating.md"} <= names
    assert sum(len(it.snippets) for it in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
def test_every_block_is_a_snippet_of_a_known_language(page: Page) -> None:
    none_of(page.faults)


@with_some(*ALONE)
def test_what_is_only_read_can_be_read(page: Page) -> None:
    none_of([told for it in page.of(*ALONE) for told in ALONE[it.language](it)])


@with_some("toml")
def test_every_config_is_accepted(page: Page, tmp_path: Path) -> None:
    none_of(toml_mistakes(page.of("toml"), tmp_path))


@pytest.mark.skipif(ELIXIR is None, reason="Elixir is not installed: its snippets are not parsed")
def test_elixir_can_be_parsed(tmp_path: Path) -> None:
    snippets = [it for page in PAGES for it in page.of("elixir")]
    none_of(elixir_mistakes(snippets, tmp_path))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: PromQL is not parsed")
def test_promql_can_be_parsed(tmp_path: Path) -> None:
    snippets = [it for page in PAGES for it in page.of("promql")]
    none_of(promql_mistakes(snippets, tmp_path))


@with_some("sql")
def test_every_statement_runs(page: Page, database_url: str) -> None:
    none_of(asyncio.run(sql_mistakes(database_url, page.of("sql"))))


@with_some("python")
def test_python_runs(
    page: Page, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in RUNTIME_PAGES:
        return
    snippets = page.of("python")
    if not any("nexus_actors" in it.text for it in snippets):
        none_of(python_mistakes(snippets))
        return
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    for name in set(os.environ) - set(sandbox.environ):
        monkeypatch.delenv(name)
    for name in ("HOME", "NEXUS_CONFIG", "DATABASE_URL"):
        monkeypatch.setenv(name, sandbox.environ[name])
    monkeypatch.chdir(sandbox.folder)
    none_of(python_mistakes(snippets, presumed=presumed, change=sandbox.here))


@asynccontextmanager
async def presumed(names: dict[str, Any]) -> AsyncIterator[None]:
    """What a fragment for the client presumes: an open one, something to say, an id."""
    if "service" in names:
        yield
        return
    names.setdefault("messages", [{"role": "user", "content": "Say hello."}])
    names.setdefault("request_id", ANSWERED)
    async with LLMService() as names["service"]:
        yield
    del names["service"]


@with_some("console")
def test_every_command_is_right(page: Page, sandbox: Sandbox) -> None:
    none_of(console_mistakes(page, sandbox))
