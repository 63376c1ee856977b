"""The pages that readers see, and the snippets on them.

A snippet is a fenced block. Its language says what it is held to; `LANGUAGES` has what each means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[2]
TOP: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "supervisors/README.md",
    "supervisors/CHANGELOG.md",
    "benchmarks/README.md",
)
LANGUAGES: Final = {
    "python": "runs, in the order of its page",
    "sql": "runs on a migrated database",
    "toml": "is accepted as a config",
    "console": "commands that run, or that what would run them accepts; what they print",
    "json": "parses; a request or a result is one by the contract",
    "elixir": "parses",
    "yaml": "parses",
    "ini": "parses",
    "promql": "parses",
    "nginx": "its braces and statements are closed",
    "caddy": "its braces are closed",
    "dockerfile": "has known instructions",
    "text": "anything that is not run",
}
DIRECTIVES: Final = ("docs/index.md", "docs/api/")
"""Where Sphinx' own directives may stand; the other pages are read on the forge, too."""
_SAVED: Final = re.compile(r"[Ss]ave it as `([\w.-]+)`:$")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block."""

    page: Path
    line: int
    """That of its opening fence; the first line of `text` is the next one."""
    language: str
    text: str
    section: int
    """How many `##` headings stand above it."""
    saved_as: str = ""
    """The file that the text before it tells to save it as."""

    @property
    def where(self) -> str:
        """As a compiler says it."""
        return place(self.page, self.line)


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file, read."""

    path: Path
    snippets: tuple[Snippet, ...]
    faults: tuple[str, ...]
    """Blocks that are no snippet at all."""

    @property
    def name(self) -> str:
        """Relative to the repository."""
        return name_of(self.path)

    def of(self, *languages: str) -> list[Snippet]:
        """The snippets of these languages, in order."""
        return [it for it in self.snippets if it.language in languages]


def name_of(path: Path) -> str:
    """Relative to the repository; a page elsewhere by its file's name."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def place(page: Path, line: int) -> str:
    """A line as a compiler names it."""
    return f"{name_of(page)}:{line}"


def paths() -> list[Path]:
    """Every page there is."""
    top = [ROOT / name for name in TOP if (ROOT / name).exists()]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def pages() -> list[Page]:
    """All of them, read."""
    return [read_page(path) for path in paths()]


def read_page(path: Path) -> Page:
    """The snippets of one page, and what is wrong with its blocks."""
    snippets: list[Snippet] = []
    faults: list[str] = []
    section = 0
    before = ""
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text()):
        if token.type == "heading_open" and token.tag == "h2":
            section += 1
        elif token.type == "inline":
            before = token.content
            faults += _directives(path, token)
        elif token.type == "code_block":
            faults.append(f"{place(path, _line(token))}: an indented code block; fence it")
        elif token.type == "fence":
            language = token.info.strip()
            if _is_directive(path, language):
                continue
            saved = _SAVED.search(before)
            snippets.append(
                Snippet(
                    path,
                    _line(token),
                    language,
                    token.content,
                    section,
                    saved_as=saved[1] if saved else "",
                )
            )
            before = ""
    faults += _unknown_languages(snippets)
    return Page(path, tuple(snippets), tuple(faults))


def _line(token: Token) -> int:
    assert token.map is not None
    return token.map[0] + 1


def _is_directive(path: Path, info: str) -> bool:
    return info.startswith("{") and name_of(path).startswith(DIRECTIVES)


def _directives(path: Path, token: Token) -> Iterator[str]:
    """What Sphinx alone understands, in a text."""
    if name_of(path).startswith(DIRECTIVES):
        return
    before = ""
    for it in token.children or ():
        role = re.search(r"\{[\w:+-]+\}$", before) if it.type == "code_inline" else None
        found = role[0] if role else it.content if it.content.startswith(":::") else None
        if found is not None:
            yield f"{place(path, _line(token))}: {found} is Sphinx' own, and no Markdown"
        before = it.content if it.type == "text" else ""


def _unknown_languages(snippets: list[Snippet]) -> Iterator[str]:
    for it in snippets:
        if not it.language:
            yield f"{it.where}: a fence without a language"
        elif it.language not in LANGUAGES:
            yield f"{it.where}: {it.language} is no language that is checked: {_known()}"


def _known() -> str:
    return ", ".join(sorted(LANGUAGES))
