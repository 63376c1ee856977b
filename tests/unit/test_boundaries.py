"""Imports go one way, files stay readable, no secret way in: what keeps the house in order."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path
    for folder in ("supervisors", "nexus_actors", "tests", "benchmarks", "fuzz", "differential")
    for path in (ROOT / folder).rglob("*.py")
    if "build" not in path.relative_to(ROOT).parts  # what pip leaves there
)


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_runtime_imports_what_it_declares_but_for_four_named_modules() -> None:
    """Each of them is imported by nothing else: the contracts above see to that."""
    project = tomllib.loads((ROOT / "supervisors" / "pyproject.toml").read_text())["project"]
    declared = {Requirement(it).name for it in project["dependencies"]}
    assert declared == {"trio", "sniffio"}
    allowed = {
        "supervisors.contrib.opentelemetry": {"opentelemetry"},
        "supervisors.contrib.prometheus": {"prometheus_client"},
        "supervisors.plugin.pytest_otp_supervisors": {"pytest"},
        "supervisors.pytest_plugin": {"pytest"},
    }
    found: dict[str, set[str]] = {}
    for path in CODE:
        if path.is_relative_to(ROOT / "supervisors"):
            foreign = _packages(path) - sys.stdlib_module_names - declared - {"supervisors"}
            if foreign:
                found[_name_of(path)] = foreign
    assert found == allowed


def test_no_file_is_longer_than_400_lines() -> None:
    assert [path for path in CODE if len(path.read_text().splitlines()) > 400] == []


def test_the_rooms_are_small_enough_to_be_seen_at_a_glance() -> None:
    assert len(list((ROOT / "nexus_actors" / "pipeline").glob("*.py"))) <= 14
    assert len(list((ROOT / "supervisors").glob("*.py"))) <= 12


def test_no_imports_go_in_a_circle() -> None:
    """All of them count, also those for type checkers only and those within functions."""
    code = {_name_of(path): path for path in CODE}
    graph = {name: set(_imports(path, code)) - {name} for name, path in code.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_init_takes_more_than_8_parameters() -> None:
    found = {
        f"{_name_of(path)}.{made.name}"
        for path in CODE
        for made in _nodes(path)
        if isinstance(made, ast.ClassDef)
        for method in made.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
        if _parameters(method.args) > 8
    }
    assert found == set()


@cache
def _nodes(path: Path) -> list[ast.AST]:
    wanted = (ast.ClassDef, ast.Import, ast.ImportFrom)
    return [node for node in _statements(ast.parse(path.read_text())) if isinstance(node, wanted)]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All within it. No expression has one, and to walk through those takes ten times as long."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, name, ()):
            yield inner
            yield from _statements(inner)


def _packages(path: Path) -> set[str]:
    """The top-level packages that it imports."""
    names: set[str] = set()
    for node in _nodes(path):
        match node:
            case ast.Import(aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(str(module)):
                names.add(module)
    return {name.partition(".")[0] for name in names}


def _name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, code: dict[str, Path]) -> Iterator[str]:
    for node in _nodes(path):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names if alias.name in code)
            case ast.ImportFrom(str(module), names, 0):
                inner = {f"{module}.{alias.name}" for alias in names}
                yield from inner & code.keys()
                if module in code and not inner <= code.keys():
                    yield module


def _parameters(arguments: ast.arguments) -> int:
    """Without `self`."""
    return len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]) - 1


def test_locks_name_no_index_and_no_file() -> None:
    local = ROOT / "nexus_actors/providers/local_model/requirements.lock"
    for lock in (*ROOT.glob("requirements*.lock"), local):
        text = lock.read_text()
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|^-e ", text, re.M)
        entries = re.split(r"\n(?=\S)", text.strip())
        assert len(entries) >= {local: 2, ROOT / "requirements-pip.lock": 1}.get(lock, 20)
        for entry in entries:
            assert re.match(r"[a-z0-9._-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry
