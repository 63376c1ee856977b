"""The commands of a page: run as a user runs them, or read by what would run them."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cyclopts import CycloptsError

from nexus_actors.cli.app import app
from tests.docs import commands, output, programs
from tests.docs.pages import ROOT, Snippet
from tests.docs.sandbox import ANSWERED, FAILED, PATIENCE, Said, Sandbox, new_id
from tests.docs.shell import Command, read_console, simple_commands, written

_HELP: Final = frozenset({"--help", "-h", "--version"})
_HOST: Final = re.compile(r"(?:[\w-]+@)?(?:host|node|db)\d(?:\.[\w.]+)?|[\w-]+@[\w.-]+")


def console_mistakes(snippets: Sequence[Snippet], sandbox: Sandbox) -> list[str]:
    """What is wrong with a page's commands. After each section nothing is paused any more."""
    told: list[str] = []
    section = 0
    for snippet in snippets:
        if snippet.section != section:
            sandbox.reset()
            section = snippet.section
        read, faults = read_console(snippet)
        told += faults
        for command in read if not faults else ():
            told += [f"{command.where}: {it}" for it in _Held(command, sandbox).mistakes()]
    sandbox.reset()
    return told


class _Held:
    """One command line, held to what it says."""

    def __init__(self, command: Command, sandbox: Sandbox) -> None:
        self._command = command
        self._sandbox = sandbox
        self._programs = simple_commands(command.text)
        self._lacks = False
        """A program that would be run is not installed."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with it."""
        if told := _shell_refuses(self._command.text):
            yield told
            return
        is_run, found = True, False
        for words in self._programs:
            runs, told = self._look(words)
            is_run &= runs
            found |= told is not None
            if told is not None:
                yield told
        if found:
            return
        if is_run and self._programs and (self._is_plain or self._writes_here()):
            yield from self._run()
        elif (self._command.shown or self._command.typed) and not self._lacks:
            yield "it is not run, so what stands below it is compared with nothing: leave it out"

    @property
    def _is_plain(self) -> bool:
        """Whether it is run without a shell."""
        return self._command.is_plain and len(self._programs) == 1 and self._is_nexus

    def _writes_here(self) -> bool:
        """Whether what it prints goes to no file outside of the sandbox."""
        return all(_is_inside(it) for it in written(self._command.text))

    def _look(self, words: Sequence[str]) -> tuple[bool, str | None]:
        """Whether a program is to be run, and what is wrong with it."""
        program = words[0]
        name = Path(program).name
        words = [name, *words[1:]]
        if name == "nexus":
            return self._look_at_nexus(words[1:])
        if name.startswith("python"):
            return False, self._look_at_python(words[1:])
        if name == "make":
            return False, programs.make_mistake(words[1:])
        if name == "pytest":
            return False, programs.tests_mistake(words[1:])
        if commands.key(words, commands.WRAPPERS):
            return False, self._look_behind(words)
        if commands.key(words, commands.RUN):
            self._lacks |= shutil.which(name) is None
            return not self._lacks and self._is_ours(name), None
        if commands.key(words, commands.NOT_RUN):
            return False, programs.mistake(name, words[1:])
        return False, self._unknown(words, program)

    @staticmethod
    def _unknown(words: Sequence[str], program: str) -> str | None:
        """A variable's or a command's output, or a script of ours, is no mistake."""
        if program[0] == "$" or words[0] == commands.INNER or programs.script(program):
            return None
        return f"{shlex.join(words[:2])} is in no table of tests/docs/commands.py"

    def _look_at_python(self, words: Sequence[str]) -> str | None:
        if "nexus_actors.cli" in words:
            return self._look_at_nexus(words[words.index("nexus_actors.cli") + 1 :])[1]
        return programs.python_mistake(words)

    def _look_behind(self, words: Sequence[str]) -> str | None:
        """What is wrong with what a program gives to the `nexus` that it runs."""
        places = [n for n, it in enumerate(words) if n and Path(it).name == "nexus"]
        if not places:
            return f"{shlex.join(words)}: no nexus behind {words[0]}"
        return self._look_at_nexus(words[places[-1] + 1 :])[1]

    def _is_ours(self, name: str) -> bool:
        """Whether it asks the database that is here, not another one."""
        here = self._sandbox.here(self._command.text)
        return name != "psql" or self._sandbox.url in here or "$" in here

    def _look_at_nexus(self, given: Sequence[str]) -> tuple[bool, str | None]:
        words = self._here(given)
        if _HELP & {*words}:
            return True, _helpless(words)
        try:
            app.parse_args(words, print_error=False, exit_on_error=False)
        except CycloptsError as error:
            return False, f"nexus {shlex.join(words)}: {' '.join(str(error).split())}"
        unending = next((it for n, it in commands.UNENDING.items() if n == tuple(words[:1])), None)
        if unending is not None and not {*unending} & {*words} and not self._command.typed:
            return False, None
        return commands.key(words, commands.PARSED) is None, None

    def _here(self, given: Sequence[str]) -> list[str]:
        """The words, with what is here in place of examples."""
        words = [self._word(n, given) for n in range(len(given))]
        return [self._sandbox.here(it) for it in words]

    def _word(self, place: int, given: Sequence[str]) -> str:
        word, before = given[place], given[place - 1] if place else ""
        if word in commands.IDS:
            return FAILED if given[0] == "dead" else ANSWERED
        if _HOST.fullmatch(word) and before != "--config":
            return self._sandbox.node
        if before in ("--config", "-c") or (word.endswith(".toml") and not self._is_here(word)):
            return str(self._sandbox.config)
        if word.endswith((".jsonl", ".json")) and word[0] in "/~":
            return Path(word).name
        return commands.PLACEHOLDERS.get(word, word)

    def _text_here(self) -> str:
        """The line, with what is here in place of examples."""
        text = self._sandbox.here(self._command.text)
        for words in self._programs:
            if Path(words[0]).name == "nexus":
                for word, put in zip(words[1:], self._here(words[1:]), strict=True):
                    if word != put:
                        text = re.sub(rf"(?<![\w./@-]){re.escape(word)}(?![\w./@-])", put, text)
        return text

    def _is_here(self, file: str) -> bool:
        return (self._sandbox.folder / file).exists()

    def _run(self) -> Iterator[str]:
        command = self._command
        if self._is_plain:
            words = self._here(self._programs[0][1:])
            words = self._prepared(words)
            said = self._sandbox.nexus(words, "".join(f"{it}\n" for it in command.typed))
            for name in filter(_is_inside, written(command.text)):
                self._writable(name).write_text(said.text)
        else:
            said = self._in_shell()
        kind = next((it[1:] for it in self._programs if Path(it[0]).name == "nexus"), [])
        known = commands.key(kind, commands.CODES)
        codes = commands.CODES[known] if known else (0,)
        if said.code not in codes:
            yield f"exit code {said.code}: {said.text.strip()[-500:]}"
        elif command.shown:
            for line in output.mistakes(command.shown, said.text):
                yield f"it does not print {line.strip()!r}, but: {said.text.strip()[-800:]}"

    @property
    def _is_nexus(self) -> bool:
        return Path(self._programs[0][0]).name == "nexus"

    def _prepared(self, words: list[str]) -> list[str]:
        """The words, once the requests, letters and files that they name are there."""
        if _HELP & {*words}:
            return words
        _, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
        given: dict[str, Any] = bound.arguments
        ids = [*given.get("ids", ()), given.get("request_id")]
        for request_id in filter(None, ids):
            self._sandbox.sent(request_id)
        if (which := given.get("which")) is not None and not which.isdecimal():
            self._sandbox.sent(which, fails=True)
        file = given.get("file")
        if words[0] in ("enqueue", "route") and isinstance(file, str) and file != "-":
            self._write_requests(self._sandbox.folder / file)
        numbers = {*given.get("numbers", ()), given.get("number"), which} - {None}
        letters = {str(it) for it in numbers if str(it).isdecimal()}
        return self._numbered(words, letters) if letters else words

    def _write_requests(self, file: Path) -> None:
        """As many as the page shows the ids of."""
        ids = [it.strip() for it in self._command.shown if " " not in it.strip()] or [new_id()]
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{_request(it)}\n" for it in ids]
        file.write_text("".join(lines) if file.suffix == ".jsonl" else lines[0])

    def _numbered(self, words: list[str], letters: set[str]) -> list[str]:
        """The words with the number of a letter that is there."""
        failed = new_id()
        self._sandbox.sent(failed, fails=True)
        number = self._sandbox.query("SELECT max(msg_id) FROM pgmq.q_ai_requests_dead")
        if words[1] == "edit":  # a letter's request is mended, not exchanged for another one
            file = self._sandbox.folder / "mended.json"
            file.write_text(_request(failed))
            words = [str(file) if words[n - 1] == "--request" else it for n, it in enumerate(words)]
        return [str(number) if it in letters else it for it in words]

    def _writable(self, name: str) -> Path:
        """A file of the sandbox; its folder is made."""
        file = self._sandbox.folder / name.removeprefix("~/")
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _in_shell(self) -> Said:
        """The whole line, by bash."""
        text = self._text_here()
        path = f"{ROOT / '.venv/bin'}:{self._sandbox.environ['PATH']}"
        for name in {"requests.jsonl", *re.findall(r"[\w-]+\.jsonl", text)} - {*written(text)}:
            if not self._is_here(name):
                self._write_requests(self._sandbox.folder / name)
        for name in written(text):
            self._writable(name)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self._sandbox.folder,
            env={**self._sandbox.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return Said(done.returncode, done.stdout)


def _helpless(words: Sequence[str]) -> str | None:
    """What is no command of that which help is asked for."""
    asked = next(n for n, it in enumerate(words) if it in _HELP)
    _, _, rest = app.parse_commands(words[:asked])
    return f'nexus {shlex.join(words)}: Unknown command "{rest[0]}"' if rest else None


def _is_inside(file: str) -> bool:
    return file == "/dev/null" or (file[0] != "/" and "$" not in file and ".." not in file)


def _request(request_id: str) -> str:
    message = {"role": "user", "content": "Hello"}
    return json.dumps({"request_id": request_id, "complexity": "simple", "messages": [message]})


def _shell_refuses(text: str) -> str | None:
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return done.stderr.strip().removeprefix("bash: ") if done.returncode else None
