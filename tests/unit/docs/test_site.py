"""The docs site builds, and does not if a page is wrong. Sphinx runs as `make docs` runs it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import supervisors

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
FORGE = "https://github.com/nexus-actors/nexus-actors"


def build(docs: Path, out: Path, builder: str = "html") -> tuple[int, str]:
    """The exit code, and what Sphinx warned of."""
    (given,) = re.findall(r"-m sphinx (.*) docs build/docs\n", (ROOT / "Makefile").read_text())
    options = [*given.split(), "-b", builder]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(docs), str(out)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stderr


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every page is read and every link looked up; only writing HTML is left out, which takes
    long."""
    assert build(DOCS, tmp_path, "dummy") == (0, "")


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


def test_broken_links_and_forgotten_pages_fail_the_build(tmp_path: Path) -> None:
    pages = {
        f"{number}.md": f"# One\n\n{text}\n" for number, (text, _) in enumerate(WRONG.values())
    }
    docs = repository(tmp_path, {**pages, "whole.md": "# Whole\n\n## A part\n"})
    (docs / "forgotten.md").write_text("# Forgotten\n")
    code, warnings = build(docs, tmp_path / "out", "dummy")
    assert code != 0
    lines = warnings.splitlines()
    for number, (what, (_, told)) in enumerate(WRONG.items()):
        assert any(f"{number}.md" in line and told in line for line in lines), (what, warnings)
    assert any("forgotten.md" in line and "toctree" in line for line in lines)
    assert not any("whole.md:" in line for line in lines)


def test_a_second_build_warns_of_what_the_first_one_warned_of(tmp_path: Path) -> None:
    docs = repository(tmp_path, {"one.md": "# One\n\n[file](../config.toml)\n"})
    assert build(docs, tmp_path / "out", "dummy") == (0, "")
    (tmp_path / "config.toml").unlink()
    first = build(docs, tmp_path / "out", "dummy")
    assert "config.toml does not exist" in first[1]
    assert build(docs, tmp_path / "out", "dummy") == first
    assert first[0] != 0


@pytest.mark.parametrize("readme", ["README.md", "supervisors/README.md"])
def test_the_readmes_are_read_like_any_page(readme: str, tmp_path: Path) -> None:
    name = {"README.md": "readme", "supervisors/README.md": "supervisors_readme"}[readme]
    docs = repository(tmp_path, {f"{name}.md": "# Pointer\n", "two.md": "# Two\n\n## A part\n"})
    back = "../" * readme.count("/")
    (tmp_path / readme).parent.mkdir(exist_ok=True)
    text = f"# Read\n\n[right]({back}docs/two.md#a-part), [wrong]({back}docs/two.md#lost)\n"
    (tmp_path / readme).write_text(text)
    code, warnings = build(docs, tmp_path / "out", "dummy")
    assert code != 0
    (line,) = warnings.splitlines()
    assert "'lost'" in line


def test_links_lead_where_they_lead_on_the_forge(tmp_path: Path) -> None:
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
    assert build(docs, tmp_path / "out") == (0, "")
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
