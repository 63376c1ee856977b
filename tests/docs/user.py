"""Somebody who does what a page says.

They have a home, a machine's folders below it, and a shell that remembers where it is and what was
exported. What a page names as an example (a database, a repository, `/etc`) is put as what is
there, so nothing outside of the home and of the test's database server is changed.
"""

import os
import re
import select
import shlex
import shutil
import subprocess
import tempfile
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from tests import elixir
from tests.docs import commands
from tests.docs.pages import ROOT
from tests.docs.programs import POSTGRES
from tests.docs.sandbox import PATIENCE, TERMINAL, Said, Sandbox
from tests.postgres import with_database

_MACHINE: Final = r"(?<![\w./)*}}~:-])/(?!dev/|/|{folder}/)(?=\w)"
"""Where an absolute path begins, but for those of the sandbox."""
_AFTER: Final = "trap 'code=$?; env -0 > {file}; exit $code' EXIT\n{text}"
_CONFIG: Final = """
[service]
data_dir = "/var/lib/nexus"

[providers.openai]
api_key_file = "openai"
"""
"""What whoever is to edit `/etc/nexus/nexus.toml` writes."""
_GIT: Final = """
[url "{root}"]
insteadOf = https://github.com/nexus-actors/nexus-actors
[safe]
directory = *
[init]
templateDir = {home}/template
[core]
sparseCheckout = true
"""
"""The forge is this repository, whoever owns it. A clone has the files at its top only: to write
more than a thousand costs more than all else that a page does."""


@dataclass(slots=True)
class User:
    """One for each page: what it exports, and the folder it changes to, last until its end."""

    sandbox: Sandbox
    home: Path
    folder: Path
    environ: dict[str, str]
    lacks: bool = False
    """A program of this section is not installed: what follows may need what it would have done."""
    saved: set[str] = field(default_factory=set)
    """The configs that the page has told to save, which its TOML's own test reads."""

    def here(self, text: str) -> str:
        """A page's text with what is here in place of its examples."""
        machine = _MACHINE.format(folder=re.escape(str(self.sandbox.folder)[1:]))
        text = re.sub(machine, f"{self.home}/", text)
        return self.sandbox.here(text.replace("nexus_restored", self.sandbox.restored))

    def has(self, program: str) -> bool:
        """Whether the shell would find what it needs."""
        if program == "git" and not (ROOT / ".git").exists():
            return False
        if program == "elixir" and not elixir.is_here():
            return False  # or not its driver
        no_file = program in commands.OF_SHELL
        return no_file or shutil.which(program, path=self.environ["PATH"]) is not None

    def of_service(self, command: str) -> list[str]:
        """The options by which `nexus service` takes the home for the machine."""
        executable = ["--executable", "/opt/nexus/bin/nexus"] if command != "uninstall" else []
        return ["--root", str(self.home), *executable]

    def nexus(self, words: Sequence[str], typed: str = "") -> Said:
        """`nexus WORDS`, with this on standard input."""
        with TemporaryFile() as given, TemporaryFile() as out:
            given.write(typed.encode())
            given.seek(0)
            child = self.sandbox.zygote.start(
                words, environ=self.environ, folder=self.folder, streams=[given, out, out]
            )
            try:
                code = child.wait(PATIENCE)
            finally:
                child.kill()
            out.seek(0)
            return Said(code, out.read().decode())

    def screen(self, words: Sequence[str], wanted: str) -> Said:
        """`nexus WORDS` in a terminal, where `q` is pressed once this is on the screen."""
        ours, theirs = os.openpty()
        termios.tcsetwinsize(ours, (24, TERMINAL))
        shown, pressed = b"", False
        deadline = time.monotonic() + PATIENCE
        with os.fdopen(ours, "r+b", buffering=0) as screen:
            with os.fdopen(theirs, "r+b", buffering=0) as terminal:
                child = self.sandbox.zygote.start(
                    words,
                    environ={**self.environ, "TERM": "xterm"},
                    folder=self.folder,
                    streams=[terminal] * 3,
                )
            try:
                with suppress(OSError):  # EIO: nobody has the terminal open any more
                    while select.select([screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
                        shown += screen.read(65536)
                        if not pressed and wanted.encode() in shown:
                            screen.write(b"q")
                            pressed = True
                if time.monotonic() > deadline:
                    child.kill()
                code = child.wait(PATIENCE)
            finally:
                child.kill()
            return Said(code, shown.decode(errors="replace"))

    def shell(self, text: str) -> Said:
        """The line, by bash. What follows it finds its folder and its variables."""
        after = self.home / ".after"
        done = subprocess.run(
            [
                *("bash", "-o", "pipefail", "-c"),
                _AFTER.format(file=shlex.quote(str(after)), text=text),
            ],
            cwd=self.folder,
            env=self.environ,
            input=self._pasted(text),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        pairs = (it.partition("=") for it in after.read_text().split("\0") if it)
        self.environ = {name: value for name, _, value in pairs}
        self.folder = Path(self.environ["PWD"])
        config = Path(self.environ["NEXUS_CONFIG"])
        if config.name in self.saved and not config.exists():
            shutil.copy(self.sandbox.config, config)
        return Said(done.returncode, done.stdout)

    def _pasted(self, text: str) -> str:
        """What is typed into a file that a line makes of it."""
        if "/dev/stdin" not in text:
            return ""
        return f"{self.sandbox.url if 'database_url' in text else 'sk-KEY'}\n"

    def set_up(self) -> None:
        """What `make` makes before anything else, in the clone that the user is in."""
        if not (venv := self.folder / ".venv").exists():
            venv.symlink_to(ROOT / ".venv")


def new_user(sandbox: Sandbox) -> User:
    """With a home below the sandbox's folder."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=sandbox.folder))
    user = User(sandbox, home, home, {})
    user.environ = _environ(user)
    _furnish(user)
    return user


def _environ(user: User) -> dict[str, str]:
    environ = user.sandbox.environ
    return environ | {
        "HOME": str(user.home),
        "PWD": str(user.home),
        "PATH": f"{ROOT / '.venv/bin'}:{POSTGRES}:{environ['PATH']}",
        "EDITOR": f"cp {user.home / 'edited.toml'}",
        "ADMIN_URL": user.sandbox.url,
        "RESTORED_URL": with_database(user.sandbox.url, user.sandbox.restored),
        "GIT_ALLOW_PROTOCOL": "file",
    }


def _furnish(user: User) -> None:
    """The machine's folders, in `/opt/nexus` what `venv` and `pip` would make, and the examples."""
    for name in ("usr/bin", "usr/local/bin", "opt/nexus/bin"):
        (user.home / name).mkdir(parents=True)
    (user.home / "usr/bin/python3").touch()
    (user.home / "opt/nexus/pyvenv.cfg").write_text("home = /usr/bin\n")
    (user.home / "opt/nexus/bin/python").symlink_to("/usr/bin/python3")
    nexus = user.home / "opt/nexus/bin/nexus"
    nexus.write_text("#!/opt/nexus/bin/python\n")
    nexus.chmod(0o755)
    (user.home / "examples").symlink_to(ROOT / "examples")
    (user.home / "edited.toml").write_text(_CONFIG)
    (user.home / ".gitconfig").write_text(_GIT.format(root=ROOT, home=user.home))
    (user.home / "template/info").mkdir(parents=True)
    (user.home / "template/info/sparse-checkout").write_text("/*\n!/*/\n")
