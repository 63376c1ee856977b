"""Standard output for eyes: tables, colours where there is a terminal.

Whatever a table shows may be foreign. A `str` in it is plain text to a `Screen`: never markup, and
what is not seen is an escape. What has a style is made by `cell`.
"""

import re
from typing import Any, Final

from rich.console import Console
from rich.style import Style
from rich.text import Text

from nexus_actors.contract.shown_text import printable

_FILL: Final = re.compile(r" +$", re.MULTILINE)
LONGEST = 2000
"""Characters of a cell."""
UNBOUNDED = 1_000_000
"""Columns where there is no terminal: a row is one line, and nothing of it is cut."""


def cell(value: object, style: str | Style = "") -> Text:
    """Foreign text as rich shows it, as it is and in a style."""
    return Text(printable(str(value), LONGEST), style)


def one_line(value: object) -> Text:
    """Foreign text of one line, cut where it does not fit into a column that may be narrowed."""
    text = cell(value)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


class Screen(Console):
    """rich's console without its guesses at what a word is and without its markup, that leaves a
    reader who has gone to `report`: rich itself would end the process, with an exit code that means
    something else here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width = UNBOUNDED

    def render_str(self, text: str, **options: Any) -> Text:
        """Called by rich for each `str`: a cell, a heading, a line."""
        return super().render_str(printable(text, LONGEST), **{**options, "markup": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Without the blanks that fill up a row, where nobody sees columns."""
        if self.is_terminal or self.width != UNBOUNDED:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        super().print(Text(_FILL.sub("", captured.get())), end="", soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError


def is_unicode(console: Console) -> bool:
    """Whether what it writes to can take more than ASCII and accents: lines of a tree, say."""
    return console.encoding.lower().replace("-", "").startswith("utf")
