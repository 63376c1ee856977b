"""SQL on a page: each statement runs, and leaves nothing."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import asyncpg

from tests.docs.pages import Snippet, place

_TOKEN: Final = re.compile(
    r"""
    --[^\n]*                                 # a comment
    | /\*.*?\*/
    | '(?:[^']|'')*'                         # a text
    | "(?:[^"]|"")*"                         # a name
    | \$(?P<tag>[a-zA-Z_]\w*|)\$.*?\$(?P=tag)\$  # a text between dollars
    | (?P<end>;)
    """,
    re.S | re.X,
)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_PARAMETER: Final = re.compile(r"\$\d")
_OUTSIDE: Final = re.compile(r"\bCONCURRENTLY\b|^\s*VACUUM\b", re.I)
"""What PostgreSQL refuses within a transaction."""


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement, and how many lines stand before its first word."""
    begin = 0
    for found in _TOKEN.finditer(text):
        if found["end"]:
            yield from _statement(text, begin, found.start())
            begin = found.end()
    yield from _statement(text, begin, len(text))


def _statement(text: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
    statement = text[begin:end]
    bare = _COMMENT.sub(lambda it: re.sub(r"[^\n]", " ", it[0]), statement)
    if bare.strip():
        blank = len(bare) - len(bare.lstrip())
        yield text.count("\n", 0, begin + blank), statement.strip()


async def sql_mistakes(url: str, snippets: Sequence[Snippet]) -> list[str]:
    """What fails of a page's statements. Those of one snippet see what the ones before it did; then
    all is rolled back. What needs parameters is prepared only. Runs under asyncio."""
    told: list[str] = []
    connection = await asyncpg.connect(url)
    try:
        for snippet in snippets:
            transaction = connection.transaction()
            await transaction.start()
            outside = []
            for line, statement in statements(snippet.text):
                if _OUTSIDE.search(statement):
                    outside.append((line, statement))
                else:
                    told += await _run(connection, snippet, line, statement)
            await transaction.rollback()
            for line, statement in outside:
                told += await _run(connection, snippet, line, statement, alone=True)
    finally:
        await connection.close()
    return told


async def _run(
    connection: "asyncpg.Connection[asyncpg.Record]",
    snippet: Snippet,
    line: int,
    statement: str,
    *,
    alone: bool = False,
) -> list[str]:
    try:
        if alone:
            await connection.execute(statement)
        else:
            async with connection.transaction():  # a savepoint: the next one runs all the same
                if _PARAMETER.search(_TOKEN.sub("", statement)):
                    await connection.prepare(statement)
                else:
                    await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return [f"{place(snippet.page, snippet.line + 1 + line)}: {error}"]
    return []
