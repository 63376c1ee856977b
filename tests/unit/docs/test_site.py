"""The docs site does not build if a page is wrong. Sphinx runs as `make docs` runs it; that our own
pages are right is for `make docs` to say.
"""

import contextlib
import io
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest

import supervisors

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
FORGE = "https://github.com/nexus-actors/nexus-actors"
PRELOADED = ["sphinx.cmd.build", "sphinx.ext.autodoc", "furo", "myst_parser.sphinx_ext.main"]
"""What the process that forks has imported. It lives until the last test of this worker."""
Build = Callable[..., tuple[int, str]]


def _build(options: list[str]) -> tuple[int, str]:
    from sphinx.cmd.build import main

    warnings = io.StringIO()
    os.chdir(ROOT)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(warnings):
        return main(options), warnings.getvalue()


@pytest.fixture(scope="module")
def sphinx() -> Iterator[Executor]:
    """Runs each build in a process of its own, forked from one that has imported Sphinx."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as executor:
        yield executor


@pytest.fixture
def build(sphinx: Executor) -> Build:
    """Builds the site of a folder with our options: the exit code, and what Sphinx warned of."""
    (given,) = re.findall(r"-m sphinx (.*) docs build/docs\n", (ROOT / "Makefile").read_text())

    def build(docs: Path, out: Path, builder: str = "dummy") -> tuple[int, str]:
        options = [*given.split(), "-b", builder, str(docs), str(out)]
        return sphinx.submit(_build, options).result()

    return build


def repository(folder: Path, pages: dict[str, str]) -> Path:
    """One with a docs site of these pages, made as ours is; its folder of docs."""
    docs = folder / "docs"
    shutil.copytree(DOCS / "_ext", docs / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(DOCS / "_static", docs / "_static")
    shutil.copy(DOCS / "conf.py", docs)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "config.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    names = "\n".join(it.removesuffix(".md") for it in pages)
    index = f"# Site\n\n```{{toctree}}\n{names}\n```\n"
    for name, text in {"index.md": index, **pages}.items():
        (docs / name).parent.mkdir(exist_ok=True)
        (docs / name).write_text(text)
    return docs


WRONG = {
    "a page": ("[lost](other.md)", "other.md does not exist"),
    "a file of the repository": ("[lost](../lost.toml)", "../lost.toml does not exist"),
    "a place in a page": ("[lost](whole.md#lost)", "'lost'"),
    "a name of ours": ("{py:class}`supervisors.GenServr`", "supervisors.GenServr"),
    "a name in our package": ("{py:func}`nexus_actors.client.lost`", "nexus_actors.client.lost"),
    "a picture": ("![lost](pictures/lost.png)", "pictures/lost.png"),
}


def test_broken_links_and_forgotten_pages_fail_the_build(tmp_path: Path, build: Build) -> None:
    pages = {
        f"{number}.md": f"# One\n\n{text}\n" for number, (text, _) in enumerate(WRONG.values())
    }
    docs = repository(tmp_path, {**pages, "whole.md": "# Whole\n\n## A part\n"})
    (docs / "forgotten.md").write_text("# Forgotten\n")
    code, warnings = build(docs, tmp_path / "out")
    assert code != 0
    lines = warnings.splitlines()
    for number, (what, (_, told)) in enumerate(WRONG.items()):
        assert any(f"{number}.md" in line and told in line for line in lines), (what, warnings)
    assert any("forgotten.md" in line and "toctree" in line for line in lines)
    assert not any("whole.md:" in line for line in lines)


def test_a_second_build_warns_of_what_the_first_one_warned_of(tmp_path: Path, build: Build) -> None:
    docs = repository(tmp_path, {"one.md": "# One\n\n[file](../config.toml)\n"})
    assert build(docs, tmp_path / "out") == (0, "")
    (tmp_path / "config.toml").unlink()
    first = build(docs, tmp_path / "out")
    assert "config.toml does not exist" in first[1]
    assert build(docs, tmp_path / "out") == first
    assert first[0] != 0


@pytest.mark.parametrize("readme", ["README.md", "supervisors/README.md"])
def test_the_readmes_are_read_like_any_page(readme: str, tmp_path: Path, build: Build) -> None:
    name = {"README.md": "readme", "supervisors/README.md": "supervisors_readme"}[readme]
    docs = repository(tmp_path, {f"{name}.md": "# Pointer\n", "two.md": "# Two\n\n## A part\n"})
    back = "../" * readme.count("/")
    (tmp_path / readme).parent.mkdir(exist_ok=True)
    text = f"# Read\n\n[right]({back}docs/two.md#a-part), [wrong]({back}docs/two.md#lost)\n"
    (tmp_path / readme).write_text(text)
    code, warnings = build(docs, tmp_path / "out")
    assert code != 0
    (line,) = warnings.splitlines()
    assert "'lost'" in line


def test_links_lead_where_they_lead_on_the_forge(tmp_path: Path, build: Build) -> None:
    one = (
        "# One\n\n[file](../config.toml), [folder](../benchmarks), [there](two.md#a-part),"
        " [elsewhere](../benchmarks/README.md), `[code](../lost.md)`\n\n"
        "```text\n[code](../lost.md)\n```\n"
    )
    pages = {
        "one.md": one,
        "two.md": "# Two\n\n## A part\n",
        "benchmarks.md": "# Pointer\n",
        "folder/index.md": "# A folder\n",
    }
    docs = repository(tmp_path, pages)
    (docs / "folder" / "inside.md").write_text("# Inside\n\n[file](../../config.toml)\n")
    (tmp_path / "benchmarks" / "README.md").write_text("# Measured\n\n[back](../docs/two.md)\n")
    assert build(docs, tmp_path / "out", "html") == (0, "")
    made = {it.stem: it.read_text() for it in (tmp_path / "out").rglob("*.html")}
    assert f'href="{FORGE}/blob/main/config.toml"' in made["one"]
    assert f'href="{FORGE}/tree/main/benchmarks"' in made["one"]
    assert 'href="two.html#a-part"' in made["one"]
    assert 'href="benchmarks.html"' in made["one"]
    assert "Measured" in made["benchmarks"]
    assert "Pointer" not in made["benchmarks"]
    assert 'href="two.html"' in made["benchmarks"]
    assert f'href="{FORGE}/blob/main/config.toml"' in made["inside"]
    assert 'href="folder/inside.html"' in made["one"], "a folder's index lists its pages"
    loaded = {
        url
        for page in made.values()
        for url in re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]*)", page)
    }
    assert loaded == set(), "nothing comes from elsewhere"


def test_every_public_name_of_the_runtime_is_in_its_reference() -> None:
    text = (DOCS / "api" / "supervisors.md").read_text()
    told = set(re.findall(r"auto(?:class|data|exception|function|module):: ([\w.]+)", text))
    told |= {it.removeprefix("supervisors.") for it in told}
    assert set(supervisors.__all__) <= told
