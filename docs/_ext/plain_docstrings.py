"""Docstrings are plain text. Two of their habits would be something else in reStructuredText.

- An indented block after an empty line is Python, and stands as it is, with `::` before it or not.
- A paragraph of `name: what it means` lines is a list of these names.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from sphinx.application import Sphinx

_FIELD: Final = re.compile(r"([a-z_]+): ")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(
    app: Sphinx, kind: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    lines[:] = as_rest(lines)


def as_rest(lines: list[str]) -> list[str]:
    """The docstring's lines as reStructuredText."""
    made: list[str] = []
    in_code = False
    for is_text, group in groupby(lines, key=lambda line: bool(line.strip())):
        block = list(group)
        if not is_text:
            made += block
            continue
        begins_code = block[0].startswith("    ") and bool(made)
        if begins_code and not in_code and not _is_introduced(made):
            made += [".. code-block:: python", ""]
        in_code = begins_code
        made += block if in_code else _paragraph(block)
    return made


def _is_introduced(made: list[str]) -> bool:
    """Whether what stands before says itself that code follows."""
    said = [line for line in made if line.strip()]
    return bool(said) and said[-1].rstrip().endswith("::")


def _paragraph(block: list[str]) -> Iterator[str]:
    fields = [_FIELD.match(line) for line in block]
    if fields[0] is None or sum(it is not None for it in fields) < 2:
        yield from block
        return
    for field, line in zip(fields, block, strict=True):
        if field is None:
            yield f"  {line.strip()}"
        else:
            yield f"- ``{field[1]}``: {line[field.end() :]}"
