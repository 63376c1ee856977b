"""Standard output for eyes: tables, colours where there is a terminal."""

from typing import Any

from rich.console import Console


class Screen(Console):
    """rich's console without its guesses at what a word is, that leaves a reader who has gone to
    `report`: rich itself would end the process, with an exit code that means something else here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError
