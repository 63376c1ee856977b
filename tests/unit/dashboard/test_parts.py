"""What templates put moments, ids and states out by."""

from datetime import UTC, datetime, timedelta

import pytest

from nexus_actors.dashboard.parts import badge, middle, offset

SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.113, ">+0.113 s<"), (-0.5, ">\N{MINUS SIGN}0.500 s<"), (3725, ">+1 h 2 min<")],
)
def test_a_moment_in_a_story_is_told_to_the_millisecond(seconds: float, told: str) -> None:
    assert told in offset(SENT + timedelta(seconds=seconds), SENT)


def test_of_a_long_id_the_middle_is_left_out() -> None:
    assert middle("job-7") == "job-7"
    told = middle("order-4711~0123456789abcdef0123456789abcdef")
    assert ">order-4711~0123456…789abcdef<" in told.replace("&hellip;", "…")
    assert 'title="order-4711~0123456789abcdef0123456789abcdef"' in told
    assert "\x1b" not in middle("\x1b[31m" * 20)


def test_what_was_cancelled_is_no_fault() -> None:
    assert 'class="badge plain"' in badge("cancelled")
