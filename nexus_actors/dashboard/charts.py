"""Renders plots as SVG, styled by classes alone, without scripts, with a table of the values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from markupsafe import Markup, escape

from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard import scales
from nexus_actors.dashboard.scales import Unit

WIDTH: Final = 360
HEIGHT: Final = 140
LEFT: Final = 48
RIGHT: Final = 10
TOP: Final = 10
BOTTOM: Final = 22
MOST_SERIES: Final = 5
LONGEST_LABEL: Final = 120
"""Characters."""
_STEPS: Final = tuple(
    timedelta(minutes=it) for it in (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10080)
)
"""The possible intervals between ticks of a time axis."""
_MOST_TICKS: Final = 6

Value = float | None
Shape = Literal["line", "area", "bar"]


@dataclass(frozen=True, slots=True)
class Series:
    """Values, one for each of a plot's times; None where there is no value."""

    label: str
    values: Sequence[Value]


def plot(
    title: str,
    times: Sequence[datetime],
    series: Sequence[Series],
    *,
    seconds: float,
    unit: Unit = "count",
    shape: Shape = "line",
    note: str = "",
) -> Markup:
    """Plot series over time. `times`: the starts of consecutive spans; `seconds`: the length of a
    span; bars are stacked. `note`: a text below the plot.

    Raises ValueError if a series does not have one value for each time.
    """
    title, note = printable(title, LONGEST_LABEL), printable(note, 4 * LONGEST_LABEL)
    shown = [Series(printable(it.label, LONGEST_LABEL), it.values) for it in series[:MOST_SERIES]]
    if any(len(it.values) != len(times) for it in shown):
        raise ValueError("a value for each time")
    known = [value for it in shown for value in it.values if value is not None]
    if not times or not known:
        return _figure(title, Markup('<p class="empty">Nothing to show in this time.</p>'), note)
    tops = _stacked(shown, len(times)) if shape == "bar" else known
    scale = scales.scale(max(tops), unit)
    frame = _Frame(times[0], times[-1] + timedelta(seconds=seconds), scale.top)
    draw = _bars if shape == "bar" else _lines
    parts = [
        *_grid(frame, scale, unit),
        *_time_axis(frame),
        *draw(frame, times, shown, seconds, shape),
    ]
    body = _svg(title, _described(shown, unit), parts)
    return _figure(title, body + _legend(shown, unit, shape) + _table(times, shown, unit), note)


def sparkline(values: Sequence[Value], label: str) -> Markup:
    """A line as small as a word. `label` says what it shows, with its numbers."""
    known = [it for it in values if it is not None]
    top = max(known, default=0.0) or 1.0
    width, height = 100, 20
    step = width / max(len(values) - 1, 1)
    points = [
        None if it is None else (place * step, height - 2 - it / top * (height - 4))
        for place, it in enumerate(values)
    ]
    line = Markup('<path class="line-1" d="{}"/>').format(_path(points))
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}"'
        ' preserveAspectRatio="none">{}</svg>'
    ).format(printable(label, LONGEST_LABEL), width, height, line)


def meter(
    part: float | None, label: str, kind: Literal["plain", "care", "bad"] = "plain"
) -> Markup:
    """A bar that is filled by a share of 1; more than 1 is full. `label` says what it shows."""
    filled = 0.0 if part is None else max(0.0, min(part, 1.0)) * 100
    name = "fill-1" if kind == "plain" else f"fill-{kind}"
    return Markup(
        '<svg class="bar" role="img" aria-label="{}" viewBox="0 0 100 8"'
        ' preserveAspectRatio="none"><rect class="fill-ground" width="100" height="8"/>'
        '<rect class="{}" width="{}" height="8"/></svg>'
    ).format(printable(label, LONGEST_LABEL), name, f"{filled:.1f}")


FUNCTIONS: Final[dict[str, Callable[..., Markup]]] = {
    it.__name__: it for it in (plot, sparkline, meter)
}
"""The functions that templates may call, by name."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps times and values to coordinates."""

    start: datetime
    end: datetime
    top: float

    def x(self, moment: datetime) -> float:
        part = (moment - self.start) / (self.end - self.start)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        part = value / self.top if self.top else 0.0
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def _lines(
    frame: _Frame,
    times: Sequence[datetime],
    series: Sequence[Series],
    seconds: float,
    shape: Shape,
) -> list[Markup]:
    middle = timedelta(seconds=seconds / 2)
    drawn = []
    for number, one in enumerate(series, 1):
        points = [
            None if value is None else (frame.x(at + middle), frame.y(value))
            for at, value in zip(times, one.values, strict=True)
        ]
        if shape == "area":
            for run in _runs(points):
                base = frame.y(0)
                path = f"{_path(run)}L{run[-1][0]:.1f},{base:.1f}L{run[0][0]:.1f},{base:.1f}Z"
                drawn.append(Markup('<path class="area-{}" d="{}"/>').format(number, path))
        drawn.append(Markup('<path class="line-{}" d="{}"/>').format(number, _path(points)))
        drawn += [
            Markup('<circle class="fill-{}" cx="{}" cy="{}" r="3"/>').format(
                number, *(f"{it:.1f}" for it in run[0])
            )
            for run in _runs(points)
            if len(run) == 1  # a line of a single point is invisible
        ]
    return drawn


def _bars(
    frame: _Frame,
    times: Sequence[datetime],
    series: Sequence[Series],
    seconds: float,
    _shape: Shape,
) -> list[Markup]:
    drawn = []
    for place, at in enumerate(times):
        left, right = frame.x(at), frame.x(at + timedelta(seconds=seconds))
        gap = min(1.0, (right - left) / 5)
        below = 0.0
        for number, one in enumerate(series, 1):
            value = one.values[place]
            if not value or value < 0:
                continue
            top, base = frame.y(below + value), frame.y(below)
            below += value
            drawn.append(
                Markup('<rect class="fill-{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    number,
                    f"{left + gap / 2:.1f}",
                    f"{top:.1f}",
                    f"{max(right - left - gap, 0.5):.1f}",
                    f"{max(base - top, 0.5):.1f}",
                )
            )
    return drawn


def _stacked(series: Sequence[Series], count: int) -> list[float]:
    return [sum(it.values[place] or 0.0 for it in series) for place in range(count)]


_Point = tuple[float, float]


def _runs(points: Sequence[_Point | None]) -> list[list[_Point]]:
    """Split the points at gaps (None)."""
    runs: list[list[_Point]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [it for it in runs if it]


def _path(points: Sequence[_Point | None]) -> str:
    pieces = []
    for run in _runs(points):
        pieces.append("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in run))
        if len(run) == 1:
            pieces.append("h0.1")  # a dot, since a line without length is invisible
    return "".join(pieces)


def _grid(frame: _Frame, scale: scales.Scale, unit: Unit) -> list[Markup]:
    drawn = []
    for tick in scale.ticks:
        y = f"{frame.y(tick):.1f}"
        name = "axis" if tick == 0 else "grid"
        drawn.append(
            Markup('<path class="{}" d="M{},{}H{}"/>').format(name, LEFT, y, WIDTH - RIGHT)
        )
        drawn.append(
            Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
                LEFT - 6, f"{frame.y(tick) + 4:.1f}", scales.tick(tick, unit)
            )
        )
    return drawn


def _time_axis(frame: _Frame) -> list[Markup]:
    """Ticks at round times. Those less than a day apart are converted to the viewer's time zone by
    the page's script; days are in UTC."""
    whole = frame.end - frame.start
    step = next((it for it in _STEPS if whole / it <= _MOST_TICKS), timedelta(days=30))
    is_days = step >= timedelta(days=1)
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    at = zero + math.ceil((frame.start - zero) / step) * step
    drawn = []
    while at <= frame.end:
        x = frame.x(at)
        drawn.append(
            Markup('<path class="axis" d="M{},{}v4"/>').format(f"{x:.1f}", HEIGHT - BOTTOM)
        )
        if LEFT + 8 <= x <= WIDTH - RIGHT - 8:
            words = at.strftime("%m-%d" if is_days else "%H:%M")
            data = (
                Markup("")
                if is_days
                else Markup(' data-form="clock" data-at="{}"').format(f"{at:%Y-%m-%dT%H:%M:%SZ}")
            )
            drawn.append(
                Markup('<text x="{}" y="{}" text-anchor="middle"{}>{}</text>').format(
                    f"{x:.1f}", HEIGHT - 5, data, words
                )
            )
        at += step
    return drawn


def _described(series: Sequence[Series], unit: Unit) -> str:
    descriptions = []
    for one in series:
        known = [it for it in one.values if it is not None]
        if known:
            least, most = (scales.text(it, unit) for it in (min(known), max(known)))
            descriptions.append(
                f"{one.label}: last {scales.text(known[-1], unit)}, {least} to {most}"
            )
    return "; ".join(descriptions)


def _svg(title: str, description: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        f"{title}. {description}.", WIDTH, HEIGHT, Markup("").join(parts)
    )


def _legend(series: Sequence[Series], unit: Unit, shape: Shape) -> Markup:
    items = []
    for number, one in enumerate(series, 1):
        last = next((it for it in reversed(one.values) if it is not None), None)
        mark = (
            Markup('<rect class="fill-{}" y="2" width="14" height="8"/>')
            if shape == "bar"
            else Markup('<path class="line-{}" d="M0,6H22"/>')
        ).format(number)
        items.append(
            Markup(
                '<li><svg class="mark" aria-hidden="true" viewBox="0 0 22 12">{}</svg> {} <b>{}</b>'
                "</li>"
            ).format(mark, one.label, "" if last is None else scales.text(last, unit))
        )
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _table(times: Sequence[datetime], series: Sequence[Series], unit: Unit) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(it.label) for it in series)
    rows = []
    for place, at in enumerate(times):
        cells = Markup("").join(
            Markup("<td>{}</td>").format("" if value is None else scales.text(value, unit))
            for value in (it.values[place] for it in series)
        )
        rows.append(Markup("<tr><th>{}</th>{}</tr>").format(f"{at:%m-%d %H:%M}", cells))
    return Markup(
        '<details class="numbers"><summary>Numbers</summary><div class="scroll" tabindex="0">'
        '<table><thead><tr><th scope="col">From (UTC)</th>{}</tr></thead><tbody>{}</tbody></table>'
        "</div></details>"
    ).format(head, Markup("").join(rows))


def _figure(title: str, body: Markup, note: str) -> Markup:
    paragraph = Markup('<p class="note">{}</p>').format(note) if note else Markup("")
    return Markup('<figure class="chart"><figcaption>{}</figcaption>{}{}</figure>').format(
        escape(title), body, paragraph
    )
