"""Tables: whole where nobody counts columns, a line a row on a terminal."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
import trio.testing
from rich.cells import cell_len
from rich.table import Table

from nexus_actors.cli import dead, exit_codes, waiting
from nexus_actors.cli.ask import dollars
from nexus_actors.cli.dead import paced
from nexus_actors.cli.letters import check_found, table_of
from nexus_actors.cli.report import CommandError
from nexus_actors.cli.screen import Screen
from nexus_actors.cli.waiting import requests_table
from nexus_actors.settings import Settings, load_settings
from nexus_actors.storage.postgres.dead_letters import DeadLetter, Which, Whole
from nexus_actors.work import job

LONG = "x" * 290 + "the end"
LETTERS = [
    DeadLetter(
        number=number,
        dead_at=datetime(2026, 1, 2, tzinfo=UTC),
        request_id="550e8400-e29b-41d4-a716-446655440000",
        reason="unsupported_api_version",
        provider=provider,
        message=f"messages[0].content: {LONG}",
        path="messages[0].content",
    )
    for number, provider in ((123456, "openai_compatible"), (7, None))
] + [DeadLetter(number=8, dead_at=datetime(2026, 1, 2, tzinfo=UTC), unreadable="漢字" * 90)]


def lines(table: Table, screen: Screen) -> list[str]:
    assert isinstance(screen.file, io.StringIO)
    screen.print(table)
    return screen.file.getvalue().splitlines()


def test_a_table_in_a_pipe_is_whole_and_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    screen = Screen(file=io.StringIO())
    table = Table("folded", "cut")
    table.add_row("a b " * 400, LONG)
    rows = [line for line in lines(table, screen) if "the end" in line]
    assert len(rows) == 1
    assert "a b " * 300 in rows[0]
    screen = Screen(file=io.StringIO())
    shown = lines(table_of(LETTERS, screen.width), screen)
    assert (
        sum("550e8400-e29b-41d4-a716-446655440000" in line and LONG in line for line in shown) == 2
    )
    assert all(line == line.rstrip() for line in shown)
    assert "\n".join(shown).count("messages[0].content") == 2


@pytest.mark.parametrize("width", [80, 100, 150, 250])
@pytest.mark.parametrize("letters", [LETTERS, LETTERS[1:]], ids=["a provider", "none"])
def test_dead_letters_fit_a_terminal_a_line_each(letters: list[DeadLetter], width: int) -> None:
    screen = Screen(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    shown = lines(table_of(letters, width), screen)
    assert all(cell_len(line) <= width for line in shown)
    rows = [line for line in shown if line.strip() and "─" not in line][1:]
    assert [int(row.split()[0]) for row in rows] == [letter.number for letter in letters]
    assert sum("messages[0].con" in row for row in rows) == len(letters) - 1


@pytest.mark.parametrize("days", [0, 3])
@pytest.mark.parametrize("agent", ["a", "an agent whose name is a long one"])
@pytest.mark.parametrize("length", [8, 36, 90])
@pytest.mark.parametrize("width", [80, 120])
def test_what_waits_fits_a_terminal_with_its_whole_id(
    width: int, length: int, agent: str, days: int
) -> None:
    since = datetime.now(UTC) - timedelta(days=days)
    names = {"request_id": "r" * length, "agent_id": agent, "reason": "circuit_open"}
    row = {**names, "since": since, "before": 12345, "deadline": since}
    screen = Screen(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    shown = lines(requests_table([row], screen), screen)
    assert all(cell_len(line) <= width for line in shown)
    head, _, first, *rest = (line for line in shown if line.strip())
    assert all(word in head for word in ("request", "waits for", "ahead", "times out at"))
    assert first.split()[0].startswith("r" * min(length, 36))
    assert "circuit_open" in first
    assert "12345" in first
    assert first.split()[0] + "".join(rest).replace(" ", "") == "r" * length


async def test_what_is_sent_again_is_paced(autojump_clock: trio.testing.MockClock) -> None:
    begun = trio.current_time()
    times = [trio.current_time() - begun async for _ in paced(range(5), 2.0)]
    assert times == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert trio.current_time() - begun == pytest.approx(2.0)
    slow = [0.0]
    async for _ in paced(range(3), 2.0):  # what takes longer is not waited for besides
        await trio.sleep(5)
        slow.append(trio.current_time())
    assert slow[3] - slow[1] == pytest.approx(10)


@pytest.mark.parametrize(
    ("letter", "noted"),
    [
        ('{"result": {"request_id": "r"}, "reason": "no"}', "put it back: nexus dead retry 7"),
        ('{"result": null, "reason": "no"}', "put it back: nexus dead retry 7"),
        ('{"request": {"result": 1}, "reason": "no"}', ""),
        ('{"request": {}, "result": {}}', ""),
        ("[1]", ""),
        ('{"request": {"timeout": 90500}}', "its timeout, in the message 90500 ms, is 90.5 s"),
        (f'{{"request": {{"timeout": {"9" * 50}}}}}', ""),
        ('{"request": {"timeout": true}}', ""),
    ],
)
def test_what_is_good_to_know_of_a_letter_is_told_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], letter: str, noted: str
) -> None:
    monkeypatch.setattr(dead, "_run", lambda *_: (7, Whole(letter, len(letter), None)))
    dead.show("7")
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(letter)
    assert (noted in err) if noted else not err


def test_a_letter_with_endless_numbers_is_shown_field_by_field(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = f'{{"seed": {"7" * 131_072}, "top_p": 0.{"3" * 9_000}, "max_tokens": 5}}'
    letter = f'{{"request": {request}, "reason": "invalid_request"}}'
    monkeypatch.setattr(dead, "_run", lambda *_: (7, Whole(letter, len(letter), None)))
    dead.show("7")
    shown = json.loads(capsys.readouterr().out)
    assert shown["reason"] == "invalid_request"
    assert shown["request"] == {
        "seed": f"{'7' * 30}… a number of 131,072 characters (--all)",
        "top_p": f"0.{'3' * 28}… a number of 9,002 characters (--all)",
        "max_tokens": 5,
    }
    dead.show("7", all_=True)
    assert capsys.readouterr().out == f"{letter}\n"


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "$0"),
        (0.0001, "$0.0001"),
        (0.00000001, "under $0.000001"),
        (0.9999, "$0.9999"),
        (12.5, "$12.50"),
        (1_234_567.0, "$1,234,567.00"),
    ],
)
def test_amounts_are_told_however_small(amount: float, told: str) -> None:
    assert dollars(amount) == told


@pytest.mark.parametrize(
    ("which", "told"),
    [
        (Which(reason="timeuot"), "--reason timeuot: no error has this name; did you mean timeout"),
        (Which(provider="ehco"), "--provider ehco: no letter has it, nor has the config; did you"),
        (Which(reason="timeout", provider="echo"), None),
        (Which(reason="result"), None),
    ],
)
def test_a_filter_that_no_letter_can_pass_is_told(which: Which, told: str | None) -> None:
    settings = load_settings(None, {})
    assert isinstance(settings, Settings)
    check_found(1, which, settings)  # a letter of somebody else's may have it
    if told is None:
        check_found(0, which, settings)
        return
    with pytest.raises(CommandError, match=re.escape(told)) as refused:
        check_found(0, which, settings)
    assert refused.value.exit_code == exit_codes.USAGE


def test_each_reason_to_wait_can_be_asked_for() -> None:
    of_jobs, asked = set(get_args(job.Reason)), set(get_args(waiting.Reason))
    assert of_jobs | {"lost_node", "not_leased"} == asked
