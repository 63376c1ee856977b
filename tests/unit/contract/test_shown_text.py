"""Foreign text is shown: what is seen stays, what is not becomes an escape that is."""

import json

import pytest

from nexus_actors.contract.shown_text import json_text, printable, readable

HOSTILE = "[/x]\x1b]0;x\x07\r\n\t\u202e\x9b31m\x7f\ud800\u200b\u2028\U000e0041\u3164\u034f"


def test_what_is_not_seen_is_reported() -> None:
    cases = [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("\x00\x7f\x85\x9b31m", r"\x00\x7f\x85\x9b31m"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202e\u2066\u200f\u061c", r"\u202e\u2066\u200f\u061c"),
        ("\u200b\u200d\ufeff\xad\u2060", r"\u200b\u200d\ufeff\xad\u2060"),
        ("\u2028\u2029\ud800\udfff", r"\u2028\u2029\ud800\udfff"),
        ("\U000e0041\u3164", r"\U000e0041\u3164"),
        ("[/x] [bold] é e\u0301 漢字 😀 ❤\ufe0f\xa0\u3000 \\x1b",) * 2,
        ("", ""),
    ]
    wrong = [
        (text, shown, found)
        for text, shown in cases
        if (found := (printable(text), printable(shown))) != (shown, shown)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a\x1bb", 5, "a…"), ("a\x1b", 5, r"a\x1b")],
)
def test_no_more_than_a_limit_and_no_part_of_an_escape(text: str, limit: int, shown: str) -> None:
    assert printable(text, limit) == shown


def test_a_limit_bounds_the_work() -> None:
    assert printable("\x1b" * 100_000_000, 9) == r"\x1b\x1b…"


def test_a_text_of_many_lines_keeps_them_and_steers_nothing() -> None:
    family = "👨\u200d👩\u200d👧"
    assert readable(f"a\r\n\tb {family}\n") == f"a\n\tb {family}\n"
    assert readable("\x1b[2J\r\u202e\u2067\x9b\ud800\x0b") == r"\x1b[2J\r\u202e\u2067\x9b\ud800\x0b"


def test_json_says_the_same_without_what_is_not_seen() -> None:
    data = {HOSTILE: [HOSTILE, "é漢😀", 1.5, None]}
    for indent in (None, 2):
        text = json_text(data, indent=indent)
        assert json.loads(text) == data
        assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert "é漢😀" in text
    assert json_text("é", ascii_only=True) == r'"\u00e9"'
