"""Command lines as a page shows them: what is typed, what is printed, what a line consists of."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.docs.commands import INNER
from tests.docs.pages import Snippet, place

PROMPT: Final = "$ "
TYPED: Final = (">>> ", "... ")
"""At the prompt of a command that opens one (`nexus remote`)."""
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_INNER: Final = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_HERE: Final = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")


@dataclass(frozen=True, slots=True)
class Command:
    """One line behind a `$ `, with the lines that it goes on over."""

    snippet: Snippet
    line: int
    """Of the page."""
    text: str
    """As a shell reads it, here-documents included."""
    typed: tuple[str, ...]
    """What is typed at its own prompt."""
    shown: tuple[str, ...]
    """What the page says it prints."""

    @property
    def where(self) -> str:
        return place(self.snippet.page, self.line)

    @property
    def is_plain(self) -> bool:
        """Whether a shell would do no more with it than split it into words, and write what it
        prints into a file."""
        bare = re.sub(r"\s>\s*\S+$", "", self.text)
        bare = re.sub(r"""'[^']*'|"[^"$`\\]*\"""", "", bare)
        return not re.search(r"[|&;<>()$`*~\n]", bare)


class _Lines:
    """Reads a snippet line by line."""

    def __init__(self, snippet: Snippet) -> None:
        self._snippet = snippet
        self._lines = snippet.text.splitlines()
        self._at = 0

    @property
    def number(self) -> int:
        """The page's line that is next."""
        return self._snippet.line + 1 + self._at

    def peek(self) -> str | None:
        return self._lines[self._at] if self._at < len(self._lines) else None

    def take(self) -> str:
        self._at += 1
        return self._lines[self._at - 1]


def read_console(snippet: Snippet) -> tuple[list[Command], list[str]]:
    """The commands of a `console` block, and the lines in it that are none of anything."""
    lines = _Lines(snippet)
    commands: list[Command] = []
    faults: list[str] = []
    while (line := lines.peek()) is not None:
        number = lines.number
        lines.take()
        if line.startswith(PROMPT):
            text = _rest_of_command(line.removeprefix(PROMPT), lines)
            typed, shown = _what_follows(lines)
            commands.append(Command(snippet, number, text, typed, shown))
            faults += _faults(commands[-1])
        elif line.strip() and not line.startswith("#"):
            told = "a console block begins with a command: $ COMMAND"
            faults.append(f"{place(snippet.page, number)}: {told}")
    return commands, faults


def _rest_of_command(text: str, lines: _Lines) -> str:
    """With the lines after a backslash, within quotation marks, and of a here-document."""
    while text.endswith("\\") and lines.peek() is not None:
        text = f"{text[:-1].rstrip()} {lines.take().strip()}"
    while _is_open(text) and lines.peek() is not None:
        text += f"\n{lines.take()}"
    here = _HERE.search(text)
    while here is not None and lines.peek() is not None:
        line = lines.take()
        text += f"\n{line}"
        if line.strip() == here[2]:
            break
    return text


def _is_open(text: str) -> bool:
    if _HERE.search(text):
        return False
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def _what_follows(lines: _Lines) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is typed at the command's own prompt, and what is printed."""
    typed, shown = [], []
    while (line := lines.peek()) is not None and not line.startswith(PROMPT):
        lines.take()
        if line.startswith(TYPED) or line in (">>>", "..."):
            typed.append(line[4:])
        elif not line.startswith("# "):
            shown.append(line)
    return tuple(typed), tuple(line for line in shown if line.strip())


def _faults(command: Command) -> Iterator[str]:
    try:
        tokens = _tokens(command.text)
    except ValueError as error:
        yield f"{command.where}: {error}"
        return
    if any(it.startswith("#") for it in tokens):
        yield f"{command.where}: a comment stands on a line of its own, before the command"


def _tokens(text: str) -> list[str]:
    """Words and operators, of the line itself."""
    lexer = shlex.shlex(_HERE.split(text)[0], posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t"
    lexer.commenters = ""
    lexer.whitespace_split = True
    return list(lexer)


def written(text: str) -> list[str]:
    """The files that a line's output goes to."""
    tokens = _tokens(_INNER.sub(INNER, text))
    return [
        file
        for operator, file in pairwise(tokens)
        if ">" in operator and set(operator) <= set("<>&|")
    ]


def simple_commands(text: str) -> list[list[str]]:
    """The words of each program that a line starts: those of a pipe, of a list, within `$(…)`.
    Redirections and assignments before the program are left out."""
    inner = [one or other for one, other in _INNER.findall(text)]
    found: list[list[str]] = [[]]
    skip = False
    for token in _tokens(_INNER.sub(INNER, text)):
        if skip:
            skip = False
        elif set(token) <= set("<>&") and set(token) & set("<>"):
            skip = True
            if found[-1] and found[-1][-1] in ("1", "2"):
                found[-1].pop()
        elif set(token) <= set("();|&\n"):
            found.append([])
        elif found[-1] or not _ASSIGNMENT.match(token):
            found[-1].append(token)
    return [*(it for it in found if it), *(word for it in inner for word in simple_commands(it))]
