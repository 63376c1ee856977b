"""Standard output for eyes: tables, colours where there is a terminal.

Whatever a table shows may be foreign. A `str` in it is plain text to a `Screen`: never markup, and
what is not seen is an escape. What has a style is made by `cell`.
"""

from typing import Any

from rich.console import Console
from rich.style import Style
from rich.text import Text

from nexus_actors.contract.shown_text import printable

LONGEST = 2000
"""Characters of a cell."""


def cell(value: object, style: str | Style = "") -> Text:
    """Foreign text as rich shows it, as it is and in a style."""
    return Text(printable(str(value), LONGEST), style)


class Screen(Console):
    """rich's console without its guesses at what a word is and without its markup, that leaves a
    reader who has gone to `report`: rich itself would end the process, with an exit code that means
    something else here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Called by rich for each `str`: a cell, a heading, a line."""
        return super().render_str(printable(text, LONGEST), **{**options, "markup": False})

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError
