"""Functions for templates: times, money, counts, foreign text. All return HTML that is escaped."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from nexus_actors.contract.shown_text import printable, readable

MINUS: Final = "\N{MINUS SIGN}"
NOTHING: Final = Markup('<span class="none">\N{EN DASH}</span>')
"""Stands for a missing value."""
_WELL: Final = frozenset(
    {
        "ready",
        "ok",
        "published",
        "finished",
        "succeeded",
        "completed",
        "closed",
        "usable",
        "running",
    }
)
_BAD: Final = frozenset(
    {
        "lost",
        "failed",
        "dead",
        "open",
        "error",
        "outage",
        "refused",
        "spent",
        "crashed",
        "unusable",
        "bad",
    }
)
_CARE: Final = frozenset(
    {
        *("degraded", "draining", "drained", "paused", "waiting", "held", "throttled", "half_open"),
        *("suspended", "starting", "unknown", "stale", "expired", "care"),
    }
)
_SHAPES: Final = {"well": "●", "care": "▲", "bad": "■", "plain": "○"}
"""Beside the word, so that no state is marked by its colour alone."""


def shown(value: object) -> object:
    """Prepare any value that a template prints: None becomes an empty text, and invisible
    characters become escapes."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return readable(value)


def when(moment: datetime | None, *, seconds: bool = True) -> Markup:
    """A moment in UTC, which the page's script converts to the viewer's time zone."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    text = utc.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}" title="{}">{} UTC</time>').format(
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        utc.strftime("%Y-%m-%d %H:%M:%S UTC"),
        text,
    )


def age_text(seconds: float) -> str:
    """A length of time in words: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds < 0:
        return f"{MINUS}{age_text(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for place, (unit, size) in enumerate(units):
        if whole >= size:
            first, rest = divmod(whole, size)
            if place + 1 == len(units):
                return f"{first} {unit}"
            next_unit, next_size = units[place + 1]
            second = rest // next_size
            return f"{first} {unit} {second} {next_unit}" if second else f"{first} {unit}"
    return f"{whole} s"


def age(seconds: float | Decimal | None) -> Markup:
    """A length of time."""
    return NOTHING if seconds is None else escape(age_text(float(seconds)))


def dollars(amount: float | Decimal | None) -> Markup:
    """US dollars, with more decimal places for smaller amounts."""
    if amount is None:
        return Markup('<span class="none" title="the cost is not known">unknown</span>')
    value = float(amount)
    size = abs(value)
    places = 2 if size >= 1 or value == 0 else 4 if size >= 0.01 else 6
    return escape(f"{MINUS if value < 0 else ''}${size:,.{places}f}")


def count(number: int | float | Decimal | None, most: int | None = None) -> Markup:
    """A number of things. `most`: where counting stopped; a larger number is shown as `MOST+`."""
    if number is None:
        return NOTHING
    if most is not None and number > most:
        return escape(f"{most:,}+")
    return escape(f"{number:,.0f}")


def share(part: float | Decimal | None) -> Markup:
    """A share of 1, in per cent."""
    if part is None:
        return NOTHING
    value = float(part) * 100
    return escape(f"{value:.1f} %" if 0 < value < 10 else f"{value:.0f} %")


def short(text: object, limit: int = 60) -> Markup:
    """Foreign text on one line, truncated; the title then has more of it."""
    if text is None or text == "":
        return NOTHING
    whole = str(text)
    line = printable(whole, limit)
    if len(whole) <= limit and line == whole:
        return escape(line)
    return Markup('<span class="foreign" title="{}">{}</span>').format(printable(whole, 2000), line)


def middle(text: object, limit: int = 28) -> Markup:
    """An id on one line. A long one is cut in its middle, since ids of one origin begin alike, and
    ids of retries differ at the end. The title has the whole id."""
    line = printable("" if text is None else str(text), 2000)
    if len(line) <= limit:
        return short(text, limit)
    end = limit // 3
    shortened = f"{line[: limit - end - 1]}…{line[-end:]}"
    return Markup('<span class="foreign" title="{}">{}</span>').format(line, shortened)


def offset(moment: datetime | None, begin: datetime) -> Markup:
    """The time from `begin` to a moment, to the millisecond. The title has the moment."""
    if moment is None:
        return NOTHING
    seconds = (moment - begin).total_seconds()
    sign = MINUS if seconds < 0 else "+"
    amount = f"{abs(seconds):,.3f} s" if abs(seconds) < 100 else age_text(abs(seconds))
    title = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    return Markup('<span title="{}">{}{}</span>').format(title, sign, amount)


def badge(state: object, word: object = None) -> Markup:
    """A state as word, shape and colour. `word` replaces the state's name."""
    name = str(state)
    kind = (
        "well" if name in _WELL else "bad" if name in _BAD else "care" if name in _CARE else "plain"
    )
    return Markup('<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>').format(
        kind, _SHAPES[kind], printable(str(word or name), 60).replace("_", " ")
    )


def field_value(text: object) -> Markup:
    """The value of a form's field. Escaped, but invisible characters stay: it is sent back."""
    return escape("" if text is None else str(text))


def href(path: str, parameters: Mapping[str, object] | None = None, /, **more: object) -> str:
    """A path with a query string. Values that are None or empty are left out."""
    given = {**(parameters or {}), **more}
    query = urlencode({name: str(it) for name, it in given.items() if it is not None and it != ""})
    return f"{path}?{query}" if query else path


@pass_context
def act(context: Context, name: str, label: str, /, **parameters: object) -> Markup:
    """A link to an action's form; empty for viewers who may not act."""
    viewer: Any = context.get("viewer")
    if viewer is None or not viewer.may_operate:
        return Markup("")
    back = context.get("here", "")
    return Markup('<a class="act" href="{}">{}</a>').format(
        href(f"/act/{name}", parameters, back=back), label
    )


FUNCTIONS: Final = {
    it.__name__: it
    for it in (
        when,
        age,
        dollars,
        count,
        share,
        short,
        middle,
        offset,
        badge,
        field_value,
        href,
        act,
    )
}
"""The functions that templates may call, by name."""
