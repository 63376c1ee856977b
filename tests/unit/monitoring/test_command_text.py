"""What is shown as SQL or a command means what will be done, whatever is in its values."""

import shlex
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from nexus_actors.monitoring.command_text import command_line, sql_call, sql_filled, sql_value

TEXTS = [
    "plain",
    "it's",
    "a\\b",
    "two\nlines",
    "\u202eturned",
    "\x1b[31m",
    "$(id)",
    "é 漢",
    "",
    "-x",
]


def test_values_are_literals() -> None:
    cases = [
        (None, "NULL"),
        (True, "true"),
        (8, "8"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\b'"),
        ("\u202ea'\\", "E'\\u202ea\\'\\\\'"),
        ("\U000e0001", "E'\\U000e0001'"),
        (timedelta(minutes=2), "interval '120 s'"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "'2026-01-02 03:00:00+00:00'"),
        (["a", "b'"], "ARRAY['a', 'b''']::text[]"),
    ]
    wrong = [
        (value, expected, found)
        for value, expected in cases
        if (found := sql_value(value)) != expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_call_leaves_out_what_has_no_value() -> None:
    assert sql_call("nexus.pause", "queue", "q", why=None, fallback=True) == (
        "SELECT nexus.pause('queue', 'q', fallback => true);"
    )


def test_a_statement_is_filled_in_once() -> None:
    assert sql_filled("SELECT $2, $1, $10", "$2", *range(9)) == "SELECT 0, '$2', 8"


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_a_shell_hands_over_what_was_meant(text: str) -> None:
    line = command_line("pause", text, why=text, fallback=True, node=None)
    assert "\n" not in line
    assert "\u202e" not in line
    words = subprocess.run(
        ["bash", "-c", f'nexus() {{ printf "%s\\0" "$@"; }}; {line}'],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    ).stdout.decode()
    given = ["pause", text, "--why", text, "--fallback"]
    if text.startswith("-"):
        given = ["pause", f"--why={text}", "--fallback", "--", text]
    assert words.split("\0")[:-1] == given


def test_plain_words_stay_plain() -> None:
    line = command_line("scale", "openai", 8, until=datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert line == "nexus scale openai 8 --until 2026-01-02T03:00:00Z"
    assert shlex.split(line)[1:3] == ["scale", "openai"]
