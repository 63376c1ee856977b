"""The lines of the pages that are carried out on the machine."""

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.docs import commands, output
from tests.docs.pages import pages
from tests.docs.shell import Command, read_console, simple_commands
from tests.machine.machine import Machine, Said

_AFTER: Final = "trap 'code=$?; env -0 > {file}; exit $code' EXIT\n{text}"
_LINE: Final = 1200.0
"""Seconds for a line to end: for machines, not for assertions."""
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_number = itertools.count(1)
carried_out: Final[dict[str, str | None]] = {}
"""The lines that were, and of those that could not be, why."""


def of_machine() -> Iterator[Command]:
    """The lines of all pages with a program that is given to the machine."""
    for page in pages():
        for snippet in page.of("console"):
            for command in read_console(snippet)[0]:
                named = [_named(it) for it in simple_commands(command.text)]
                if any(commands.key(it, commands.MACHINE) for it in named):
                    yield command


def _named(words: list[str]) -> list[str]:
    return [Path(words[0]).name, *words[1:]]


def block(page: str, holding: str) -> list[Command]:
    """The lines of the only console block of a page that has such a line."""
    (found,) = (it for it in pages() if it.name == page)
    read = (read_console(it)[0] for it in found.of("console"))
    (lines,) = (it for it in read if any(holding in command.text for command in it))
    return lines


def line(page: str, text: str) -> Command:
    """The only line of a page that begins like this."""
    (found,) = (it for it in block(page, text) if it.text.startswith(text))
    return found


class Shell:
    """A shell on the machine that remembers where it is, and what was exported."""

    def __init__(
        self,
        machine: Machine,
        *,
        folder: str = "/root",
        online: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.machine = machine
        self.online = online
        self.folder = folder
        self._environ = dict(environ or {})
        self._after = f"/run/after-{next(_number)}"

    def follow(
        self,
        command: Command,
        *,
        typed: str = "",
        codes: tuple[int, ...] = (0,),
        put: Mapping[str, str] = NOTHING,
        within: str = "",
    ) -> str:
        """Carry out a line of a page: it ends with one of these codes, and prints what stands
        below it. What it prints. `put` has what stands here for a word in capitals; `within` is a
        command that runs the line elsewhere."""
        said = self._run(_text(command, put, within), typed)
        assert said.code in codes, f"{command.where}: exit code {said.code}\n{said.text[-4000:]}"
        if command.shown:
            told = list(output.mistakes(command.shown, said.text))
            assert not told, f"{command.where}: it does not print {told}, but:\n{said.text}"
        carried_out[command.text] = None
        return said.text

    def do(self, text: str, *, typed: str = "") -> str:
        """A line of the test's own, that must not fail. What it prints."""
        said = self._run(text, typed)
        assert said.code == 0, f"{text}: exit code {said.code}\n{said.text[-4000:]}"
        return said.text

    @contextmanager
    def watch(
        self, command: Command, wanted: str, *, within: str = "", put: Mapping[str, str] = NOTHING
    ) -> Iterator[tuple["subprocess.Popen[str]", str]]:
        """Carry out a line that does not end by itself; begin the block when it has printed this,
        and end it with the block. What it printed so far comes, too."""
        text = _text(command, put, within)
        with self.machine.begin(
            text, online=self.online, folder=self.folder, environ=self._environ
        ) as begun:
            assert begun.stdout is not None
            shown = ""
            while wanted not in shown:
                read = begun.stdout.readline()
                shown += read
                assert read, f"{command.where}: it has ended\n{shown[-4000:]}"
            yield begun, shown
            carried_out[command.text] = None

    def _run(self, text: str, typed: str) -> Said:
        said = self.machine.run(
            _AFTER.format(file=self._after, text=text),
            typed=typed,
            online=self.online,
            folder=self.folder,
            environ=self._environ,
            patience=_LINE,
        )
        pairs = (it.partition("=") for it in self.machine.done(f"cat {self._after}").split("\0"))
        self._environ = {name: value for name, _, value in pairs if name}
        self.folder = self._environ["PWD"]
        return said


def _text(command: Command, put: Mapping[str, str], within: str) -> str:
    text = command.text
    for word, here in put.items():
        text = re.sub(rf"\b{word}\b", here, text)
    return f"{within} {shlex.quote(text)}" if within else text


def cannot(command: Command, why: str) -> None:
    """Take note that a line cannot be carried out here."""
    carried_out[command.text] = why
