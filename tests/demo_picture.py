"""`make pictures`: docs/pictures/demo.svg, what `make demo` prints in a real run.

python -m tests.demo_picture
"""

import io
import re
import sys
from pathlib import Path
from typing import Final
from unittest.mock import patch

import trio
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from nexus_actors.cli.screen import Screen
from nexus_actors.demo import command, view
from nexus_actors.providers.local_model import weights

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "demo.svg"
WIDTH: Final = 100
FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SHOWN: Final = ("Every request", "A provider that fails", "What can never", "Promised and kept")
"""The chapters that fit on one screen, by how their headings begin."""


def record() -> str:
    """What one run prints, with its colours. Raises where a promise is not kept."""
    screen = view.View()
    screen.console = Screen(record=True, file=io.StringIO(), width=WIDTH)
    with patch.object(weights, "missing", return_value="left out: a fresh clone has no model"):
        if not trio.run(command._demo, screen, None):
            raise SystemExit("the demo has failed: run it as nexus demo")
    return screen.console.export_text(styles=True)


def chapters(text: str) -> list[Text]:
    """The lines of those that are shown."""
    lines = [Text.from_ansi(line) for line in text.splitlines()]
    shown, wanted = [], False
    for line in lines:
        heading = re.match(r" \d+  ?(.*)", line.plain)
        if heading is not None:
            wanted = heading[1].startswith(SHOWN)
        if wanted:
            shown.append(line)
    return shown


def draw(lines: list[Text]) -> str:
    """As SVG, which asks no other host for a font."""
    page = Console(record=True, file=io.StringIO(), width=WIDTH)
    for line in lines:
        page.print(line, no_wrap=True, overflow="crop")
    svg = page.export_svg(title="make demo", theme=MONOKAI, unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    return svg.replace("Fira Code, monospace", FONT)


def main() -> int:
    """0."""
    PICTURE.write_text(draw(chapters(record())))
    print(PICTURE, PICTURE.stat().st_size)  # noqa: T201 - a program
    return 0


if __name__ == "__main__":
    sys.exit(main())
