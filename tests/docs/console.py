"""The commands of a page: run as a user runs them, or read by what would run them."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cyclopts import CycloptsError

from nexus_actors.cli.app import app
from tests.docs import commands, output, programs
from tests.docs.pages import Page
from tests.docs.sandbox import ANSWERED, FAILED, Said, Sandbox, new_id
from tests.docs.shell import Command, read_console, simple_commands, written
from tests.docs.user import User, new_user

_HELP: Final = frozenset({"--help", "-h", "--version"})
_ASKED: Final = re.compile(r"\$\(nexus ([^()|&;<>]*)\)")
_HOST: Final = re.compile(r"(?:[\w-]+@)?(?:host|node|db)\d(?:\.[\w.]+)?|[\w-]+@[\w.-]+")


def console_mistakes(page: Page, sandbox: Sandbox) -> list[str]:
    """What is wrong with a page's commands. After each section the service runs, and
    nothing is paused any more."""
    told: list[str] = []
    section = 0
    user = new_user(sandbox)
    for snippet in page.of("console", "toml"):
        if snippet.section != section:
            sandbox.reset()
            user.lacks = False
            section = snippet.section
        if snippet.language == "toml":
            user.saved.add(snippet.saved_as)
            continue
        read, faults = read_console(snippet)
        told += faults
        for command in read if not faults else ():
            told += [f"{command.where}: {it}" for it in _Held(command, user).mistakes()]
    sandbox.reset()
    return told


class _Held:
    """One command line, held to what it says."""

    def __init__(self, command: Command, user: User) -> None:
        self._command = command
        self._user = user
        self._sandbox = user.sandbox
        found = simple_commands(command.text)
        self._programs = [_behind(it) for it in found]
        self._is_wrapped = self._programs != found

    def mistakes(self) -> Iterator[str]:
        """What is wrong with it."""
        if not self._command.is_plain and (told := _shell_refuses(self._command.text)):
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
        if self._user.lacks:
            return
        if is_run and self._programs and (self._is_plain or self._is_for_shell):
            yield from self._run()
        elif self._command.shown or self._command.typed:
            yield "it is not run, so what stands below it is compared with nothing: leave it out"

    @property
    def _is_plain(self) -> bool:
        """Whether it is run without a shell."""
        return self._command.is_plain and len(self._programs) == 1 and self._is_nexus

    @property
    def _is_for_shell(self) -> bool:
        """Whether bash can run it, and what it prints goes to no file outside of the sandbox."""
        text = self._user.here(self._command.text)
        return not self._is_wrapped and all(map(self._is_inside, written(text)))

    def _look(self, words: Sequence[str]) -> tuple[bool, str | None]:
        """Whether a program is to be run, and what is wrong with it."""
        program = words[0]
        name = Path(program).name
        words = [name, *words[1:]]
        if name == "nexus":
            return self._look_at_nexus(words[1:])
        if commands.key(words, commands.WRAPPERS):
            return False, f"{shlex.join(words)}: no nexus behind {name}"
        if commands.key(words, commands.RUN):
            self._user.lacks |= not self._user.has(name)
            return self._is_ours(name), programs.mistake(name, words[1:])
        if name == commands.INNER:
            return True, None  # what is printed there is a program's name
        return False, self._told(words, program)

    def _told(self, words: Sequence[str], program: str) -> str | None:
        """What is wrong with a program that is not run here."""
        if words[0].startswith("python"):
            told = self._look_at_python(words[1:])
        elif words[0] == "make":
            self._user.set_up()
            told = programs.make_mistake(words[1:])
        else:
            told = programs.mistake(words[0], words[1:])
        elsewhere = (commands.MACHINE, commands.GATE)
        if told is None and not any(commands.key(words, it) for it in elsewhere):
            return self._unknown(words, program)
        return told

    @staticmethod
    def _unknown(words: Sequence[str], program: str) -> str | None:
        """A variable, or a script of ours, is no mistake."""
        if program[0] == "$" or programs.script(program):
            return None
        return f"{shlex.join(words[:2])} is in no table of tests/docs/commands.py"

    def _look_at_python(self, words: Sequence[str]) -> str | None:
        if "nexus_actors.cli" in words:
            return self._look_at_nexus(words[words.index("nexus_actors.cli") + 1 :])[1]
        return programs.python_mistake(words)

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
        if words[0] in (*commands.SCREENS, "start", "stop", "service"):
            return self._is_plain and not written(self._command.text), None
        return commands.key(["nexus", *words], commands.MACHINE) is None, None

    def _here(self, given: Sequence[str]) -> list[str]:
        """The words, with what is here in place of examples."""
        return [self._user.here(it) for it in self._with_examples_put(given)]

    def _with_examples_put(self, given: Sequence[str]) -> list[str]:
        return [self._word(n, given) for n in range(len(given))]

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
        text = self._command.text
        for words in self._programs:
            if Path(words[0]).name == "nexus":
                for word, put in zip(words[1:], self._with_examples_put(words[1:]), strict=True):
                    if word != put:
                        text = re.sub(rf"(?<![\w./@-]){re.escape(word)}(?![\w./@-])", put, text)
        return self._user.here(text)

    def _is_here(self, file: str) -> bool:
        return (self._user.folder / file).exists()

    def _run(self) -> Iterator[str]:
        command = self._command
        if self._is_plain:
            said = self._nexus(self._prepared(self._here(self._programs[0][1:])))
            for name in filter(self._is_inside, written(command.text)):
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

    def _nexus(self, words: list[str]) -> Said:
        if _HELP & {*words}:
            return self._user.nexus(words)
        if words[0] == "start":
            return self._sandbox.start(words, self._user.environ)
        if words[0] in commands.SCREENS and "--once" not in words:
            return self._user.screen(words, "ai_requests")
        said = self._user.nexus(words, "".join(f"{it}\n" for it in self._command.typed))
        if words[0] == "stop" and said.code == 0:
            return Said(self._sandbox.stop(), said.text)
        return said

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
            self._write_requests(self._user.folder / file)
        if words[0] == "service":
            return [*words, *self._user.of_service(words[1])]
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
            file = self._user.folder / "mended.json"
            file.write_text(_request(failed))
            words = [str(file) if words[n - 1] == "--request" else it for n, it in enumerate(words)]
        return [str(number) if it in letters else it for it in words]

    def _writable(self, name: str) -> Path:
        """A file of the sandbox; its folder is made."""
        file = Path(name.replace("~", str(self._user.home), 1))
        file = self._user.folder / file
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _in_shell(self) -> Said:
        """The whole line, by bash."""
        text = self._text_here()
        for name in {"requests.jsonl", *re.findall(r"[\w-]+\.jsonl", text)} - {*written(text)}:
            if not self._is_here(name):
                self._write_requests(self._user.folder / name)
        for name in written(text):
            self._writable(name)
        return self._user.shell(_ASKED.sub(self._asked, text))

    def _asked(self, found: re.Match[str]) -> str:
        """A variable with what `nexus` prints: to import it anew for a shell takes longer."""
        said = self._user.nexus(shlex.split(found[1]))
        assert said.code == 0, said.text
        name = f"SAID_{found.start()}"
        self._user.environ[name] = said.text.rstrip("\n")
        return f"${{{name}}}"

    def _is_inside(self, file: str) -> bool:
        """Whether this is a file of the user's."""
        if file == "/dev/null" or file.startswith(f"{self._user.home}/"):
            return True
        return file[0] != "/" and "$" not in file and ".." not in file


def _behind(words: list[str]) -> list[str]:
    """What a program that runs `nexus` runs; other words as they are."""
    places = [n for n, it in enumerate(words) if n and Path(it).name == "nexus"]
    is_wrapper = commands.key([Path(words[0]).name, *words[1:]], commands.WRAPPERS)
    return words[places[-1] :] if is_wrapper and places else words


def _helpless(words: Sequence[str]) -> str | None:
    """What is no command of that which help is asked for."""
    asked = next(n for n, it in enumerate(words) if it in _HELP)
    _, _, rest = app.parse_commands(words[:asked])
    return f'nexus {shlex.join(words)}: Unknown command "{rest[0]}"' if rest else None


def _request(request_id: str) -> str:
    message = {"role": "user", "content": "Hello"}
    return json.dumps({"request_id": request_id, "complexity": "simple", "messages": [message]})


def _shell_refuses(text: str) -> str | None:
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return done.stderr.strip().removeprefix("bash: ") if done.returncode else None
