"""Python on a page: each section's snippets run one after the other, with common names.

One that awaits at its top level runs within trio: in virtual time, unless its section is about the
service, which takes real time.

A comment behind a `print` is what it prints, to the letter, on every page; what else there is
to say stands on a line above it.
"""

import ast
import contextlib
import inspect
import io
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import trio
from trio.testing import MockClock

from tests.docs.pages import Snippet

RUNTIME_PAGES: Final = ("docs/supervisors.md", "docs/otp_differences.md", "supervisors/README.md")
"""Those of the library: tests/unit/supervisors/test_docs.py runs them, and type-checks them."""
_PROMISED: Final = re.compile(r"(?m)^(?: *print\(.*\) {2,}# |# prints: )(.*)$")
_SERVICE: Final = re.compile(
    r"\bnexus_actors\b|\bLLMService\b|\bawait service\.|\bservice\.stream\("
)
"""What takes real time: the service's client."""
Presumed = Callable[[dict[str, Any]], contextlib.AbstractAsyncContextManager[None]]
"""Gives a fragment, while it runs, names that its page has told of in words."""


def promised(source: str) -> list[str]:
    """The lines that a snippet says it prints."""
    return _PROMISED.findall(source)


def run_block(
    file: Path,
    line: int,
    source: str,
    names: dict[str, Any],
    *,
    virtual_time: bool = True,
    presumed: Presumed | None = None,
) -> None:
    """Run a snippet that begins after this line of the file; whatever it raises is raised."""
    code = compile(  # empty lines before it, so that a traceback shows the line of the file
        "\n" * line + source, str(file), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    if code.co_flags & inspect.CO_COROUTINE:
        clock = MockClock(autojump_threshold=0) if virtual_time else None
        trio.run(_within, partial(eval, code, names), names, presumed, clock=clock)
    else:
        exec(code, names)  # noqa: S102 - ours


async def _within(
    block: Callable[[], Awaitable[None]], names: dict[str, Any], presumed: Presumed | None
) -> None:
    async with contextlib.nullcontext() if presumed is None else presumed(names):
        await block()


def python_mistakes(
    snippets: Sequence[Snippet],
    *,
    presumed: Presumed | None = None,
    change: Callable[[str], str] = str,
) -> list[str]:
    """What fails of a page's snippets; `change` puts what is here for what stands there."""
    told: list[str] = []
    for _, section in groupby(snippets, key=lambda it: it.section):
        told += _of_section(list(section), presumed, change)
    return told


def _of_section(
    snippets: list[Snippet], presumed: Presumed | None, change: Callable[[str], str]
) -> Iterable[str]:
    names: dict[str, Any] = {"__name__": "example"}
    service = any(_SERVICE.search(it.text) for it in snippets)
    for it in snippets:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                run_block(
                    it.page,
                    it.line,
                    change(it.text),
                    names,
                    virtual_time=not service,
                    presumed=presumed if service else None,
                )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told
            yield f"{_line_of(error, it)}: {type(error).__name__}: {error}"
            return  # the rest of the section stands on it
        said, expected = printed.getvalue().splitlines(), promised(it.text)
        if expected and said != expected:
            yield f"{it.where}: it says that it prints {expected}, and prints {said}"


def _line_of(error: BaseException, snippet: Snippet) -> str:
    """The line of the page at which it was raised."""
    if isinstance(error, SyntaxError) and error.filename == str(snippet.page):
        return f"{snippet.where.rpartition(':')[0]}:{error.lineno}"
    line, trace = snippet.line, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(snippet.page):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{snippet.where.rpartition(':')[0]}:{line}"
