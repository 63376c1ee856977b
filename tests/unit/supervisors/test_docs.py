"""What the library's pages show is so: their snippets run, and what they claim holds."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import supervisors
from supervisors import system, telemetry
from tests.docs.python_snippets import RUNTIME_PAGES, promised, run_block

ROOT = Path(__file__).resolve().parents[3]
FILES = [ROOT / name for name in RUNTIME_PAGES]
TEXTS = {file: file.read_text() for file in FILES}
TEXT = "\n".join(TEXTS.values())


@dataclass(frozen=True)
class Section:
    """A part of a page, from one `##` to the next; its snippets share their names."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.stem}: {self.text.splitlines()[0].strip('# ')}"

    @property
    def blocks(self) -> Iterator[tuple[int, str]]:
        """The line each snippet begins at in the file, and its text."""
        for found in re.finditer(r"```python\n(.*?)```", self.text, re.S):
            yield self.line + self.text.count("\n", 0, found.start(1)), found[1]


def sections() -> Iterator[Section]:
    for file, text in TEXTS.items():
        line = 0
        for part in re.split(r"(?m)^(?=## )", text):
            if "```python" in part:
                yield Section(file, line, part)
            line += part.count("\n")


SHOWN = list(sections())


@pytest.mark.parametrize("section", SHOWN, ids=str)
def test_the_snippets_of_a_section_run_one_after_the_other(section: Section, capsys: Any) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for line, source in section.blocks:
        run_block(section.file, line, source, names)
        said = capsys.readouterr().out.splitlines()
        assert said == promised(source), f"the snippet at line {line}"


def test_the_snippets_satisfy_a_type_checker(tmp_path: Path) -> None:
    for number, section in enumerate(SHOWN):
        if section.file.name == "README.md":
            continue  # its methods bear no types, to be read at a glance
        # Within the file: an option would make mypy check the runtime and trio anew.
        source = ['# mypy: disable-error-code="top-level-await"', *(it for _, it in section.blocks)]
        (tmp_path / f"section_{number}.py").write_text("\n".join(source))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *tmp_path.glob("*.py")],
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
    assert found[-1].endswith(f"(checked {len(list(tmp_path.glob('*.py')))} source files)")


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
    ours = re.sub(r"(?m)^\|.*? \| ", "", TEXTS[FILES[0]])  # a row's first cell may be Elixir's
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
    for file, text in TEXTS.items():
        for target in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text):
            assert (file.parent / target).exists(), target
