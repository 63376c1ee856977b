"""Relative links work on the forge and on the site.

On the forge, `../config/nexus.toml` opens the file. The site holds only the pages, so links to all
else lead to the forge. A link to a file that does not exist is a warning, which fails the build.

A page that stands elsewhere in the repository (`repository_pages`: CHANGELOG.md and others) has a
pointer in docs/, whose text is replaced by the page's when the site is built. The index of a folder
gets a table of contents of the folder's other pages.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx
from sphinx.util import logging

_logger: Final = logging.getLogger(__name__)
_FENCE: Final = re.compile(r"^ *(`{3,}|~{3,})")
_LINK: Final = re.compile(r"(`+[^`]*`+)|(?<=\]\()([^()\s]+)(?=(?:\s+\"[^\"]*\")?\))")
"""Code in a line, which is left alone, or where a link leads to."""
_REST_OF_FOLDER: Final = "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
_PICTURE: Final = re.compile(r"\.(png|svg|jpg|gif)$")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value("repository_url", "", "env", str)
    app.add_config_value("repository_branch", "main", "env", str)
    app.add_config_value("repository_pages", {}, "env", dict)
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    here = Path(app.env.doc2path(docname))
    if here.suffix != ".md":
        return
    docs = Path(app.srcdir)
    written, text = here, source[0]
    if docname in app.config.repository_pages:
        written = docs.parent / app.config.repository_pages[docname]
        text = written.read_text(encoding="utf-8")
        app.env.note_dependency(written)
    links = Links(
        docs,
        {docs.parent / path: name for name, path in app.config.repository_pages.items()},
        app.config.repository_url,
        app.config.repository_branch,
    )
    source[0], lost = links.rewritten(text, written, here)
    if here.name == "index.md" and here.parent != docs:
        source[0] += _REST_OF_FOLDER
    for number, target in lost:
        _logger.warning("%s does not exist", target, location=f"{written}:{number}", type="links")


class Links:
    """Where the links of a page lead to on the site."""

    def __init__(self, docs: Path, elsewhere: Mapping[Path, str], forge: str, branch: str) -> None:
        self._docs = docs
        self._elsewhere = elsewhere
        self._forge = forge
        self._branch = branch

    def rewritten(self, text: str, written: Path, page: Path) -> tuple[str, list[tuple[int, str]]]:
        """The text of the file `written` with its links as `page` needs them, and each link to a
        file that does not exist, with its line."""
        lost: list[tuple[int, str]] = []
        lines = []
        for number, line, is_code in _lines(text):

            def led(match: re.Match[str], number: int = number) -> str:
                target = match[2]
                if target is None or "://" in target or target.startswith(("#", "mailto:")):
                    return match[0]
                found = self._led(target, written, page)
                if found is None:
                    lost.append((number, target))
                return found or target

            lines.append(line if is_code else _LINK.sub(led, line))
        return "".join(lines), lost

    def _led(self, target: str, written: Path, page: Path) -> str | None:
        """The link that leads to the target; None where there is no such file."""
        path, sign, anchor = target.partition("#")
        file = Path(os.path.normpath(written.parent / path))
        if not file.exists():
            return None
        here = file
        if file in self._elsewhere:
            here = self._docs / f"{self._elsewhere[file]}.md"
        is_page = here.is_relative_to(self._docs) and here.suffix == ".md"
        if is_page or _PICTURE.search(file.name):
            return os.path.relpath(here, page.parent) + sign + anchor
        kind = "tree" if file.is_dir() else "blob"
        place = file.relative_to(self._docs.parent).as_posix()
        return f"{self._forge}/{kind}/{self._branch}/{place}{sign}{anchor}"


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each line with its number, and whether it is code."""
    fence = ""
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        mark = _FENCE.match(line)
        if mark is not None and (not fence or mark[1].startswith(fence)):
            yield number, line, True
            fence = "" if fence else mark[1]
        else:
            yield number, line, bool(fence)
