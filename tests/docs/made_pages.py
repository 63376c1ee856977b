"""Pages that the harness' own tests make."""

from pathlib import Path

from tests.docs.pages import Page, read_page


def page(folder: Path, text: str) -> Page:
    """A page of this text."""
    file = folder / "page.md"
    file.write_text(text)
    return read_page(file)


def fenced(folder: Path, language: str, text: str) -> Page:
    """A page of one snippet, whose first line is line 4."""
    return page(folder, f"# Page\n\n```{language}\n{text}\n```\n")
