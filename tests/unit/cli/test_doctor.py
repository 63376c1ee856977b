"""How `nexus doctor` shows what it found."""

import os
import sys

import pytest

from nexus_actors.cli.doctor import _lines
from nexus_actors.doctor.finding import Advice, CheckResult, NotChecked, Ok, Wrong

FOUND = [
    CheckResult("config", Ok("right")),
    CheckResult("queue", NotChecked("see database")),
    CheckResult("disk", Advice("little room\n" + "word " * 20, "it is full", "make room")),
    CheckResult("database", Wrong("away", "nothing is read", "start it")),
]


def test_what_is_worst_comes_first_and_no_line_is_broken_without_a_terminal() -> None:
    lines = list(_lines(FOUND))
    assert [it.split()[0] for it in lines if it[0] != " "] == ["wrong", "advice", "not", "ok"]
    assert len(lines) == 4 + 2 * 2


def test_at_a_terminal_it_is_wrapped_below_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 24)))
    lines = list(_lines(FOUND))
    assert max(map(len, lines)) <= 60
    first, second = lines[3:5]
    assert first.startswith(r"advice       disk      little room\nword word")
    assert second.startswith(" " * 23 + "word")
