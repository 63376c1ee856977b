"""What docs/supervisors.md shows is so: its snippets run, and what they claim holds."""

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import supervisors
from supervisors import system, telemetry

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docs" / "supervisors.md"
TEXT = FILE.read_text()

SECTIONS = re.split(r"(?m)^(?=## )", TEXT)


def title(section: str) -> str:
    return section.splitlines()[0].strip("# ")


def blocks(section: str) -> Iterator[tuple[int, str]]:
    """The line each snippet begins at in the file, and its text."""
    begin = TEXT.index(section)
    for found in re.finditer(r"```python\n(.*?)```", section, re.S):
        yield TEXT.count("\n", 0, begin + found.start(1)), found[1]


def run_block(line: int, source: str, names: dict[str, Any]) -> None:
    """As it stands; one that awaits at its top level, within trio, in virtual time."""
    code = compile(  # empty lines before it, so that a traceback shows the line of the file
        "\n" * line + source, str(FILE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    if code.co_flags & inspect.CO_COROUTINE:
        clock = MockClock(autojump_threshold=0)
        trio.run(partial(eval, code, names), clock=clock)
    else:
        exec(code, names)  # noqa: S102 - ours


SHOWN = [section for section in SECTIONS if "```python" in section]


@pytest.mark.parametrize("section", SHOWN, ids=title)
def test_the_snippets_of_a_section_run_one_after_the_other(section: str, capsys: Any) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for line, source in blocks(section):
        run_block(line, source, names)
        promised = re.findall(r"(?m)^(?: *print\(.*\)  # |# prints: )(.*)$", source)
        assert capsys.readouterr().out.splitlines() == promised, f"the snippet at line {line}"


def test_the_snippets_satisfy_a_type_checker(tmp_path: Path) -> None:
    for number, section in enumerate(SHOWN):
        source = "\n".join(block for _, block in blocks(section))
        (tmp_path / f"section_{number}.py").write_text(source)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--disable-error-code=top-level-await"]
    done = subprocess.run(
        [*mypy, f"--cache-dir={tmp_path / 'cache'}", *tmp_path.glob("*.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    assert done.returncode in (0, 1), done.stderr
    # top-level-await leaves out its two siblings
    found = [line for line in done.stdout.splitlines() if "outside async function" not in line]
    assert found[:-1] == []
    assert found[-1].endswith(f"(checked {len(SHOWN)} source files)")


def test_every_name_the_tables_give_as_ours_exists() -> None:
    known: dict[str, Any] = {
        **vars(supervisors),
        "self": supervisors.GenServer,
        "ref": supervisors.ActorRef,
        "registry": supervisors.Registry("x"),
        "task": supervisors.Task,
        "caller": supervisors.Caller,
        "timer": supervisors.Timer,
        "system": system,
        "telemetry": telemetry,
    }
    ours = re.sub(r"(?m)^\|.*? \| ", "", TEXT)  # a row's first cell may be Elixir's
    missing = [
        f"{owner}.{attribute}"
        for owner, attribute in re.findall(r"`(?:(?:async )?with |await )?(\w+)\.(\w+)", ours)
        if owner in known and not hasattr(known[owner], attribute)
    ]
    assert missing == []


def test_every_public_name_is_told_of() -> None:
    errors = {
        name
        for name in supervisors.__all__
        if isinstance(getattr(supervisors, name), type)
        and issubclass(getattr(supervisors, name), Exception)
    }
    untold = [
        name
        for name in supervisors.__all__
        if name not in errors and not re.search(rf"\b{name}\b", TEXT)
    ]
    assert untold == []


def test_every_event_is_listed() -> None:
    for event in telemetry.EVENTS:
        assert f"`{event.__name__}`" in TEXT


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (FILE.parent / target).exists(), target
