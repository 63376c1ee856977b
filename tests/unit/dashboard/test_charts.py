"""Plots: what is drawn is what was given, in words and numbers, too."""

import math
import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from nexus_actors.dashboard.charts import Series, meter, plot, sparkline
from nexus_actors.dashboard.scales import Unit, bytes_text, scale, text, tick

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOSTILE = "<b>\"'&\u202e"


def drawn(values: list[float | None], *, seconds: float = 60.0, **more: Any) -> str:
    times = [START + timedelta(seconds=it * seconds) for it in range(len(values))]
    return str(plot("Title", times, [Series("one", values)], seconds=seconds, **more))


def pictured(markup: str) -> ElementTree.Element:
    """It is well-formed, which browsers do not ask for and mistakes are seen by."""
    return ElementTree.fromstring(f"<all>{markup}</all>")  # noqa: S314 - it is ours


def test_every_shape_and_unit_is_drawn() -> None:
    wrong = []
    for shape in ["line", "area", "bar"]:
        for unit in get_args(Unit):
            markup = drawn([0.0, 1.5, None, 3.0, None, 0.25], shape=shape, unit=unit)
            picture = pictured(markup)
            if not (
                picture.find(".//svg[@role='img']") is not None
                and len(picture.findall(".//tbody/tr")) == 6
                and "style=" not in markup
            ):
                wrong.append((shape, unit, markup, picture))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("values", [[], [None, None]])
def test_where_there_is_nothing_it_says_so(values: list[float | None]) -> None:
    assert "Nothing to show" in drawn(values)
    assert "<svg" not in drawn(values)


def test_all_zeros_are_a_line_at_the_bottom() -> None:
    assert "<path" in drawn([0.0, 0.0])


def test_what_is_not_known_is_a_gap_and_one_alone_a_dot() -> None:
    markup = drawn([1.0, 2.0, None, 3.0])
    line = re.findall(r'class="line-1" d="(M[^"]+)"', markup)[0]
    assert line.count("M") == 2
    assert line.endswith("h0.1")
    assert "<circle" in drawn([1.0, None, 1.0])
    assert "<circle" not in drawn([1.0, 1.0, 1.0])


def test_bars_are_stacked() -> None:
    times = [START]
    two = [Series("a", [1.0]), Series("b", [3.0])]
    markup = str(plot("T", times, two, seconds=60.0, shape="bar"))
    form = r'class="fill-\d" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"'
    bars = re.findall(form, markup)
    (low_y, low_height), (high_y, high_height) = [tuple(map(float, it)) for it in bars[:2]]
    assert high_height == pytest.approx(3 * low_height, abs=0.2)
    assert high_y + high_height == pytest.approx(low_y, abs=0.2)


def test_it_is_said_in_words() -> None:
    label = pictured(drawn([1.0, 4.0, 2.0], unit="seconds")).find(".//svg[@role='img']")
    assert label is not None
    assert label.get("aria-label") == "Title. one: last 2.0 s, 1.0 s to 4.0 s."


def test_hours_are_the_readers_and_days_are_utcs() -> None:
    assert 'data-at="2026-01-10T12:10:00Z"' in drawn([1.0] * 60)
    days = drawn([1.0] * 10, seconds=86_400.0)
    assert "data-at" not in days
    assert ">01-1" in days


def test_labels_of_strangers_are_escaped() -> None:
    markup = str(plot(HOSTILE, [START], [Series(HOSTILE, [1.0])], seconds=60.0, note=HOSTILE))
    markup += str(sparkline([1.0, None, 2.0], HOSTILE)) + str(meter(0.5, HOSTILE))
    pictured(markup)
    assert '<b>"' not in markup
    assert "\u202e" not in markup


def test_as_many_values_as_times() -> None:
    with pytest.raises(ValueError, match="a value for each time"):
        plot("T", [START], [Series("a", [1.0, 2.0])], seconds=60.0)


def test_an_axis_reaches_over_its_values_in_few_steps() -> None:
    wrong = []
    for unit in get_args(Unit):
        for most in [1e-9, 0.003, 0.7, 1, 3, 7.5, 99, 1234, 5e6, 3.3e12]:
            found = scale(most, unit)
            if not (
                found.ticks[0] == 0
                and found.top == found.ticks[-1] >= most * (1 - 1e-6)
                and (2 <= len(found.ticks) <= 6 or unit == "seconds")
                and (len({text(it, unit) for it in found.ticks}) == len(found.ticks) or most < 1e-6)
            ):
                wrong.append((unit, most, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("most", [0.0, -1.0, math.inf, math.nan])
def test_an_axis_bears_what_is_no_amount(most: float) -> None:
    assert scale(most, "count").ticks == (0, 1)


def test_what_is_whole_has_whole_ticks() -> None:
    assert scale(2, "count").ticks == (0, 1, 2)
    assert scale(2, "rate").ticks == (0, 0.5, 1, 1.5, 2)


def test_values_are_short() -> None:
    cases = [
        (0, "seconds", "0"),
        (0.25, "seconds", "250 ms"),
        (90, "seconds", "1 min 30 s"),
        (0.125, "share", "12.5 %"),
        (0.00012, "dollars", "$0.00012"),
        (0.0000004, "dollars", "$0.000001 or less"),
        (0, "dollars", "$0"),
        (1234.5, "dollars", "$1,234"),
        (12_345, "count", "12.3k"),
        (2_500_000, "count", "2.5M"),
        (1536, "bytes", "1.5 KiB"),
    ]
    wrong = [
        (value, unit, expected, found)
        for value, unit, expected in cases
        if (found := text(value, unit)) != expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("most", [2.0, 5.0, 90.0, 400.0, 5_400.0, 50_000.0, 700_000.0])
def test_what_stands_beside_an_axis_of_time_fits_there(most: float) -> None:
    told = [tick(it, "seconds") for it in scale(most, "seconds").ticks]
    assert len(set(told)) == len(told)
    assert max(map(len, told)) <= 7, told


def test_bytes_have_units() -> None:
    assert [bytes_text(it) for it in (0, 1023, 1024, 10 * 2**20, 5 * 2**50)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "10 MiB",
        "5120 TiB",
    ]
