"""Tables on standard output, with colours on a terminal.

Any text in a table may be foreign. A `Screen` treats each `str` as plain text without markup, and
escapes invisible characters. Styled text is made by `cell`.
"""

import re
from typing import Any, Final

from rich.console import Console
from rich.style import Style
from rich.text import Text

from nexus_actors.contract.shown_text import printable

_FILL: Final = re.compile(r" +$", re.MULTILINE)
LONGEST = 2000
"""The most characters of a cell."""
UNBOUNDED = 1_000_000
"""Columns if there is no terminal: each row is one uncut line."""


def cell(value: object, style: str | Style = "") -> Text:
    """Foreign text, escaped, with a style."""
    return Text(printable(str(value), LONGEST), style)


def one_line(value: object) -> Text:
    """Foreign text on one line, cut if its column is narrowed."""
    text = cell(value)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


class Screen(Console):
    """rich's console without highlighting and markup. If the reader of the output is gone, it lets
    `report` handle that: rich would exit with a code that has another meaning here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width = UNBOUNDED

    def render_str(self, text: str, **options: Any) -> Text:
        """Called by rich for each `str`: cells, headings and lines."""
        return super().render_str(printable(text, LONGEST), **{**options, "markup": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print without trailing blanks if the output is not a terminal."""
        if self.is_terminal or self.width != UNBOUNDED:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        super().print(Text(_FILL.sub("", captured.get())), end="", soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Called by rich if the reader is gone."""
        raise BrokenPipeError


def is_unicode(console: Console) -> bool:
    """Whether the console can encode all characters, such as those that draw trees."""
    return console.encoding.lower().replace("-", "").startswith("utf")
